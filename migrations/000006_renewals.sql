-- Tokens that end by themselves: how far the renewal of each is, and what a person was told about it.
-- Locking: creates tables only.

create table renewal (
  secret_id uuid primary key references secret (id) on delete cascade,
  -- the token that it made last, with the life that the issuer gave
  made_version integer,
  made_at timestamptz,
  made_expires_at timestamptz,
  -- the issuer's `issue` as it was when it was asked last: another one is tried at once
  issue jsonb,
  -- whose limits the requests count against; null: nobody is asked
  origin text,
  -- written before each request and cleared with its answer; one that stays is a request whose end nobody knows
  attempt uuid,
  attempt_at timestamptz,
  -- the version of the secret that the attempt may have used up
  single_use_secret uuid references secret (id),
  single_use_version integer,
  -- the issuer gave nothing in its place the last time: it can be used again
  reusable boolean not null default false,
  lease_owner text,
  lease_until timestamptz,
  asked_at timestamptz,
  -- not before: a retry, or what the issuer said
  not_before timestamptz,
  failures integer not null default 0,
  error_code text,
  error_message text,
  failed_at timestamptz,
  -- a person must act: nothing is tried any more
  lost_at timestamptz
);
create index renewal_origin on renewal (origin, asked_at);

create table alert (
  id uuid primary key default gen_random_uuid(),
  -- what it is about: one open alert of each
  kind text not null,
  subject_id uuid not null,
  level text not null,
  -- names, numbers and words; no values
  message text not null,
  remedy text not null,
  opened_at timestamptz not null default now(),
  updated_at timestamptz not null default now(),
  resolved_at timestamptz
);
create unique index alert_one_open on alert (kind, subject_id) where resolved_at is null;
create index alert_opened on alert (opened_at);
