-- Ordered rotation: what a look at a running place showed, and what a rollout needs to go phase by phase and back.
-- Locking: adds columns with constant defaults, which rewrites no table.

alter table rollout
  -- no further caller moves: a verifier is not what it was when callers were sent to it
  add column held boolean not null default false,
  -- since when all gates are met: looks begun later are the last before the next phase
  add column fresh_from timestamptz,
  -- finish without waiting for silence
  add column urgent boolean not null default false,
  add column rollback_of uuid references rollout (id);

alter table binding
  -- begin of the last look that ended
  add column looked_at timestamptz,
  -- why it did not show what it should; null when it did
  add column look_reason text,
  -- it showed definitely less than it should
  add column lacks boolean not null default false,
  -- the last answer about living processes: {"state": …, "lives": [{"id": …}]}; names and ids only
  add column lives jsonb,
  -- what live requests showed, by version: {"5": {"verdict": "accepted", "reason": …}}; gone with the next write
  add column acceptance jsonb not null default '{}',
  -- when a verifier last counted a use, by version: {"4": "2026-01-01T00:00:00Z"}; null: it does not count
  add column used jsonb;

alter table secret
  -- a rotation by schedule that failed is not tried before
  add column rotate_not_before timestamptz;

alter table target
  -- its agent is to look again and tell; agents' targets only
  add column look_asked_at timestamptz;
