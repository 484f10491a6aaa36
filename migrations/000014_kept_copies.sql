-- Copies for restoring that stand on hosts, each an old value at rest: where, since when, and whether it is not needed any
-- more. A host that was away when its copy should have gone is remembered here until it answers.
-- Locking: creates only.

create table kept_copy (
  target_id uuid not null references target (id),
  placement text not null,
  -- where it stands: a target that was moved meanwhile does not reach it
  destination text not null,
  kept_at timestamptz not null default now(),
  -- it must go, whatever still runs: its binding was pruned, its version destroyed or compromised
  owed_at timestamptz,
  attempts integer not null default 0,
  next_attempt_at timestamptz not null default now(),
  error_message text,
  primary key (target_id, placement)
);
create index kept_copy_due on kept_copy (next_attempt_at);
