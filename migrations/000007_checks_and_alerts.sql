-- Places are looked at by schedule; what a person should know is delivered; a value that its authority has changed is
-- told by the agent beside it, under a key of its own.
-- Locking: adds columns without a rewrite; `store_key` is checked anew, which holds its few rows for a moment.

alter table store_key drop constraint store_key_name_check;
-- `take-over` opens what an agent tells of a value that its authority has changed.
alter table store_key add constraint store_key_name_check check (name in ('bundle', 'agent-tls', 'take-over'));

-- When the place was looked at last without anything being owed, and what kept it from being read.
alter table target
  add column checked_at timestamptz,
  add column next_check_at timestamptz not null default now(),
  add column check_error_code text,
  add column check_error_message text;
create index target_check on target (next_check_at) where removed_at is null;

-- Where alerts go. `credentials_sealed` is sealed with `destination`: a changed address needs the credential again.
create table channel (
  id uuid primary key default gen_random_uuid(),
  name text not null unique,
  kind text not null check (kind in ('slack', 'webhook', 'email')),
  config jsonb not null,
  destination text not null,
  credentials_sealed text,
  created_at timestamptz not null default now(),
  removed_at timestamptz
);

-- One message to one channel. Of an alert that changes before it was sent, only the newest is.
create table delivery (
  id uuid primary key default gen_random_uuid(),
  channel_id uuid not null references channel (id),
  alert_id uuid not null references alert (id) on delete cascade,
  event text not null check (event in ('opened', 'changed', 'resolved')),
  state text not null default 'pending' check (state in ('pending', 'delivered', 'undeliverable')),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  error_message text,
  created_at timestamptz not null default now(),
  ended_at timestamptz
);
create unique index delivery_one_pending on delivery (channel_id, alert_id) where state = 'pending';
create index delivery_due on delivery (next_attempt_at) where state = 'pending';
create index delivery_of on delivery (channel_id, created_at);

-- Alerts that are opened in this window are kept and shown, and sent nowhere. Null: of every kind, about everything.
create table silence (
  id uuid primary key default gen_random_uuid(),
  kind text,
  subject_id uuid,
  until timestamptz not null,
  reason text not null,
  actor jsonb not null,
  created_at timestamptz not null default now()
);
