-- Restarts that were owed by units which no target has any more: nobody could ever ask for them, and rollouts waited.
-- From now on they end with the configuration that drops their unit.
-- Locking: updates rows of activation that nobody works on.

update activation a set state = 'superseded', ended_at = now(), lease_until = null, lease_owner = null,
  error_message = 'its unit is configured no more'
where a.state in ('owed', 'requested', 'blocked')
  and not exists (select from target_unit tu join target t on t.id = tu.target_id
    where tu.unit_id = a.unit_id and t.removed_at is null);
