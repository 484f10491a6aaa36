-- The store's first shape. It already holds what ordered rotation, agents' order and renewal need, so that later
-- releases add tables and columns instead of changing the meaning of these.
-- Locking: creates only; nothing that exists is touched.

-- One row: who this store is. `epoch` grows when a store is restored from a backup or moved, so that places can
-- refuse what an older life of the store still tries to write.
create table store_meta (
  only_row boolean primary key default true check (only_row),
  store_id uuid not null,
  epoch integer not null default 1,
  key_check text not null,
  fingerprint_key_sealed text not null,
  created_at timestamptz not null default now()
);

create table environment (
  id uuid primary key default gen_random_uuid(),
  name text not null unique,
  created_at timestamptz not null default now()
);

create table secret (
  id uuid primary key default gen_random_uuid(),
  environment_id uuid not null references environment (id),
  name text not null,
  -- how a new version is made and when: {generate: …, rotate: …}; no values
  policy jsonb not null default '{}',
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  unique (environment_id, name)
);

create table secret_version (
  secret_id uuid not null references secret (id),
  version integer not null check (version > 0),
  state text not null check (state in ('staged', 'current', 'retiring', 'retired', 'destroyed', 'abandoned')),
  compromised_at timestamptz,
  expires_at timestamptz,
  -- envelope of {"field": "value", …}; a plain secret has the one field "value". Null once destroyed.
  value_sealed text,
  -- HMAC-SHA-256 under a key derived for this secret; compares, never shown
  fingerprint text not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  state_changed_at timestamptz not null default now(),
  primary key (secret_id, version),
  check ((value_sealed is null) = (state = 'destroyed'))
);
create unique index secret_version_one_current on secret_version (secret_id) where state = 'current';
create unique index secret_version_one_staged on secret_version (secret_id) where state = 'staged';

create table target (
  id uuid primary key default gen_random_uuid(),
  environment_id uuid not null references environment (id),
  name text not null,
  kind text not null check (kind in ('railway', 'ssh', 'agent', 'vault', 'manual', 'memory')),
  config jsonb not null,
  -- sealed with `destination` as associated data: a changed address needs the credential again
  credentials_sealed text,
  destination text not null,
  -- the outbox: work is owed while generation <> settled_generation
  generation bigint not null default 0,
  settled_generation bigint not null default 0,
  -- who asked for this generation
  intent_actor jsonb,
  -- fencing: lease_token grows with every lease; a result is recorded only under the token it was leased with
  lease_token bigint not null default 0,
  lease_owner text,
  lease_until timestamptz,
  attempts integer not null default 0,
  next_action_at timestamptz,
  -- a write may still land there until then: nothing above `acknowledged` is known before
  in_flight_until timestamptz,
  -- set when retrying cannot help; cleared by new intent or by resume
  gave_up_at timestamptz,
  error_code text,
  error_message text,
  created_at timestamptz not null default now(),
  removed_at timestamptz,
  unique (environment_id, name)
);
create index target_owed on target (next_action_at) where generation <> settled_generation;
create index target_due on target (next_action_at) where next_action_at is not null;

create table unit (
  id uuid primary key default gen_random_uuid(),
  -- canonical and global, for example railway:<environment id>/<service id>
  key text not null unique,
  name text not null,
  kind text not null,
  config jsonb not null,
  -- units that one poll request can follow together
  follow_group text not null,
  -- the last incarnation seen: deployment id and instances, or boot id, pid and start time
  incarnation jsonb,
  incarnation_seen_at timestamptz,
  created_at timestamptz not null default now()
);

create table target_unit (
  target_id uuid not null references target (id),
  unit_id uuid not null references unit (id),
  primary key (target_id, unit_id)
);
create index target_unit_unit on target_unit (unit_id);

create table binding (
  id uuid primary key default gen_random_uuid(),
  secret_id uuid not null references secret (id),
  target_id uuid not null references target (id),
  -- where on the target: a file's path on hosts, '' where the target is one flat place
  placement text not null default '',
  key text not null,
  fallback_key text not null,
  role text not null check (role in ('verifier', 'caller', 'both')),
  template text,
  optional boolean not null default false,
  drift text not null default 'report' check (drift in ('report', 'heal')),
  options jsonb not null default '{}',
  -- overwriting a foreign value here was explicitly allowed; spent by the first write
  take_over boolean not null default false,
  -- what was settled last, per slot: {"primary": 5, "fallback": null}
  settled jsonb not null default '{}',
  settled_digest text,
  settled_at timestamptz,
  evidence text check (evidence in ('acknowledged', 'stored', 'deployed', 'running', 'proven', 'attested')),
  evidence_at timestamptz,
  created_at timestamptz not null default now(),
  removed_at timestamptz
);
create unique index binding_live on binding (target_id, placement, key) where removed_at is null;
create index binding_secret on binding (secret_id) where removed_at is null;

-- (place, key) has one owner in the whole store. `written_generation` is null while we only claimed or adopted the
-- key and never wrote it: such a key is never deleted by us.
create table ownership (
  place text not null,
  key text not null,
  target_id uuid not null references target (id),
  binding_id uuid not null references binding (id),
  placement text not null,
  slot text not null check (slot in ('primary', 'fallback')),
  written_generation bigint,
  -- the binding is gone and the value may be deleted there; false keeps it in place, no longer ours to touch
  prune boolean not null default false,
  primary key (place, key)
);
create index ownership_binding on ownership (binding_id);
create index ownership_target on ownership (target_id);

create table rollout (
  id uuid primary key default gen_random_uuid(),
  secret_id uuid not null references secret (id),
  from_version integer,
  to_version integer not null,
  strategy text not null check (strategy in ('overlap', 'swap', 'issued', 'replace')),
  phase text not null,
  state text not null check (state in ('running', 'stalled', 'done', 'failed', 'abandoned')),
  engine_version integer not null,
  reason text,
  options jsonb not null default '{}',
  actor jsonb not null,
  next_action_at timestamptz default now(),
  started_at timestamptz not null default now(),
  phase_started_at timestamptz not null default now(),
  ended_at timestamptz,
  foreign key (secret_id, to_version) references secret_version (secret_id, version)
);
create unique index rollout_one_open on rollout (secret_id) where state in ('running', 'stalled');
create index rollout_due on rollout (next_action_at) where state in ('running', 'stalled');

create table rollout_gate (
  rollout_id uuid not null references rollout (id),
  binding_id uuid not null references binding (id),
  phase text not null,
  required text not null,
  met_at timestamptz,
  evidence text,
  reason text,
  primary key (rollout_id, binding_id, phase)
);

create table push (
  id uuid primary key default gen_random_uuid(),
  target_id uuid not null references target (id),
  epoch integer not null,
  generation bigint not null,
  attempt integer not null,
  lease_token bigint not null,
  actor jsonb not null,
  digest text not null,
  outcome text not null default 'started'
    check (outcome in ('started', 'unknown', 'succeeded', 'unchanged', 'failed', 'superseded')),
  evidence text,
  error_code text,
  error_message text,
  started_at timestamptz not null default now(),
  ended_at timestamptz
);
create index push_open on push (target_id) where outcome in ('started', 'unknown');
create index push_recent on push (started_at desc);
create index push_target on push (target_id, started_at desc);

create table push_item (
  push_id uuid not null references push (id),
  ordinal integer not null,
  binding_id uuid references binding (id),
  secret_id uuid references secret (id),
  placement text not null,
  key text not null,
  slot text not null check (slot in ('primary', 'fallback')),
  version integer,
  action text not null check (action in ('set', 'unset', 'unchanged')),
  -- what stood there before: matched version, or unknown | absent | unreadable
  replaced text,
  primary key (push_id, ordinal)
);

-- An activation that a unit owes or that is under way. At most one waits per unit; another may be under way.
create table activation (
  id uuid primary key default gen_random_uuid(),
  unit_id uuid not null references unit (id),
  target_id uuid not null references target (id),
  state text not null check (state in
    ('owed', 'requested', 'succeeded', 'failed', 'blocked', 'dormant', 'superseded')),
  -- digest over the slots that the unit should run with
  digest text not null,
  -- the pushes this serves; a merged activation serves several
  push_ids uuid[] not null default '{}',
  attempts integer not null default 0,
  -- incarnations that existed before the request: what is newer is ours, however the answer got lost
  known_ids text[] not null default '{}',
  external_id text,
  requested_at timestamptz,
  deadline_at timestamptz,
  next_action_at timestamptz not null default now(),
  lease_owner text,
  lease_until timestamptz,
  error_code text,
  error_message text,
  created_at timestamptz not null default now(),
  ended_at timestamptz
);
create unique index activation_one_owed on activation (unit_id) where state = 'owed';
create unique index activation_one_requested on activation (unit_id) where state = 'requested';
create index activation_due on activation (next_action_at) where state in ('owed', 'requested');
create index activation_target on activation (target_id, created_at desc);

create table observation (
  id bigint generated always as identity primary key,
  binding_id uuid not null references binding (id),
  slot text not null check (slot in ('primary', 'fallback')),
  push_id uuid references push (id),
  -- version | unknown | absent | unreadable
  found text not null check (found in ('version', 'unknown', 'absent', 'unreadable')),
  version integer,
  reason text,
  observed_at timestamptz not null default now()
);
create index observation_latest on observation (binding_id, slot, id desc);

-- One row per credential: how many requests remain in the window its owner grants. Shared by all workers.
create table rate_budget (
  key text primary key,
  limit_per_window integer not null,
  window_ms integer not null,
  remaining integer not null,
  window_ends_at timestamptz not null,
  blocked_until timestamptz
);

create table api_token (
  id text primary key,
  name text not null,
  secret_hash text not null,
  scopes text[] not null,
  created_by text not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  revoked_at timestamptz
);

-- Ids and an HMAC of the request only; never bodies.
create table idempotency (
  token_id text not null,
  key text not null,
  request_hmac text not null,
  status integer,
  response jsonb,
  created_at timestamptz not null default now(),
  primary key (token_id, key)
);

-- Inserted in the transaction of the change it tells of. Append-only: the trigger refuses even the owner's mistakes;
-- the runtime role is granted insert and select alone.
create table audit_entry (
  id uuid primary key default gen_random_uuid(),
  at timestamptz not null default clock_timestamp(),
  action text not null,
  actor jsonb not null,
  subject_kind text not null,
  subject_id text not null,
  subject_name text not null,
  details jsonb not null default '{}'
);
create index audit_entry_at on audit_entry (at desc);
create index audit_entry_subject on audit_entry (subject_kind, subject_id, at desc);

create function audit_entry_is_append_only() returns trigger language plpgsql as $$
begin
  raise exception 'audit entries are append-only';
end $$;
create trigger audit_entry_append_only before update or delete or truncate on audit_entry
  for each statement execute function audit_entry_is_append_only();
