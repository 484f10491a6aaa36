-- Agents: programs on machines that nobody can dial, which fetch what their target must hold and report what they did.
-- Locking: creates only; nothing that exists is touched.

-- Keys of the store that others pin. `bundle` signs what agents are told and is used for nothing else; `agent-tls` is the
-- agents' listener's own, where no certificate is given.
create table store_key (
  name text primary key check (name in ('bundle', 'agent-tls')),
  -- public part as JSON: a JWK, or {certificate: PEM}
  public jsonb not null,
  private_sealed text not null,
  created_at timestamptz not null default now()
);

-- A code that was given out. Its random part is not kept: `lookup_hash` finds it, `mac_key_sealed` checks who knows it.
create table enrolment (
  id uuid primary key default gen_random_uuid(),
  target_id uuid not null references target (id),
  lookup_hash text not null unique,
  mac_key_sealed text not null,
  -- may be used again until it expires: for containers, whose identities are short-lived
  reusable boolean not null default false,
  actor jsonb not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz not null,
  used_at timestamptz,
  revoked_at timestamptz
);
create index enrolment_target on enrolment (target_id);

-- One identity of an agent. `pending` until it has shown that it holds its encryption key.
create table agent (
  id uuid primary key default gen_random_uuid(),
  target_id uuid not null references target (id),
  enrolment_id uuid not null references enrolment (id),
  state text not null check (state in ('pending', 'active', 'revoked', 'expired')),
  short_lived boolean not null default false,
  sign_key jsonb not null,
  encrypt_key jsonb not null,
  challenge_hash text,
  -- what it says of itself: version, hostname, platform, instance
  facts jsonb not null default '{}',
  created_at timestamptz not null default now(),
  activated_at timestamptz,
  ended_at timestamptz,
  last_seen_at timestamptz,
  -- how far it has reported; null until the first report
  reported_epoch integer,
  reported_generation bigint,
  reported_at timestamptz,
  -- of the last report: how the last push ended, what was seen, units, refused, incidents
  report jsonb not null default '{}'
);
create unique index agent_one_active on agent (target_id) where state = 'active' and not short_lived;
create index agent_target on agent (target_id) where state = 'active';
create unique index agent_sign_key on agent ((sign_key ->> 'x'));

-- Ids of requests that were accepted, until they could not be accepted any more: a replayed one meets its own id.
create table agent_request (
  token_id text primary key,
  expires_at timestamptz not null
);
create index agent_request_expiry on agent_request (expires_at);

-- What an identity ever received: revoking it lists this, and offers to rotate.
create table agent_delivery (
  agent_id uuid not null references agent (id),
  secret_id uuid not null references secret (id),
  version integer not null,
  first_at timestamptz not null default now(),
  primary key (agent_id, secret_id, version)
);
