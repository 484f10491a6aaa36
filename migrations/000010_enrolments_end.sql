-- An enrolment ends with its code: until when it may be confirmed, whether it may replace an active agent, from where it
-- was begun, and when other keys showed the same code.
-- Locking: adds columns without a rewrite, and an index over the few agents that have not confirmed.

alter table enrolment
  -- whoever invited said that the agent which the target has may be replaced
  add column replaces boolean not null default false,
  add column contested_at timestamptz;

alter table agent
  -- beside the code's own end; null: of an earlier release, there the code's end alone counts
  add column confirm_until timestamptz,
  -- address of the request that began it, as the listener saw it
  add column enrolled_from text;
create index agent_pending on agent (target_id) where state = 'pending';
