-- Changes of one unit that failed together are tried one rollout at a time: what a unit ran with last, and what is set aside.
-- Locking: adds columns without defaults, which rewrites no table; the update touches each binding once.

alter table binding
  -- the slots with which its unit last started well: {"primary": 3, "fallback": null}; null: not known
  add column ran jsonb,
  -- in place of what its rollout asks for: {"rolloutId": …, "primary": …, "fallback": …, "reason": null or text}
  add column aside jsonb;

update binding set ran = settled where evidence in ('deployed', 'running', 'proven');
