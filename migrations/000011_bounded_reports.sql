-- What an agent says is bounded by what its target is, and no view reads history to show what is now. What was left of
-- larger reports goes: a store that they had blinded answers again.
-- Locking: the indexes hold writes to their tables while they are built, in seconds for millions of rows.

alter table agent
  -- the one report that is being taken, by any server, until then
  add column reporting uuid,
  add column reporting_until timestamptz,
  -- entries on record about what it refuses or met, in the hour since
  add column told_since timestamptz,
  add column told integer not null default 0;

-- The last of a unit, and since when: looked up for every binding that is shown.
create index activation_unit on activation (unit_id, created_at desc);
create index activation_unit_ended on activation (unit_id, ended_at desc) where ended_at is not null;
-- By the negative, so that nobody is tempted to walk the primary key back past everybody else's rows.
create index observation_newest on observation (binding_id, slot, (-id));
drop index observation_latest;
create index activation_open on activation (unit_id, state) where state in ('owed', 'requested', 'blocked');
create index rollout_open on rollout (state) where state in ('running', 'stalled');
create index push_item_binding on push_item (binding_id, version) where action = 'set';
create index audit_entry_healed on audit_entry (at) where action = 'target.healed';
create index delivery_delivered on delivery (channel_id, ended_at desc) where state = 'delivered';
create index delivery_trouble on delivery (channel_id, created_at desc) where error_message is not null;
create index alert_open on alert (opened_at desc) where resolved_at is null;
create index agent_ended on agent (ended_at desc) where state in ('revoked', 'expired');

-- Units of agents that are none of their target's: it has the one that it names, and the agent's own program.
create temporary table strange_unit on commit drop as
select u.id from unit u
where u.kind = 'agent' and not exists (
  select from target_unit tu join target t on t.id = tu.target_id
  where tu.unit_id = u.id and u.key in (
    'agent:' || t.id || ':child',
    'agent:' || t.id || ':systemd:' || (t.config #>> '{activate,systemd}'),
    'agent:' || t.id || ':launchd:' || (t.config #>> '{activate,launchd}'),
    'agent:' || t.id || ':signal:' || (t.config #>> '{activate,signal,unit}'),
    'agent:' || t.id || ':command:' || (t.config #>> '{activate,command}')));
create index on strange_unit (id);
analyze strange_unit;
delete from activation a using strange_unit s where a.unit_id = s.id;
delete from target_unit tu using strange_unit s where tu.unit_id = s.id;
delete from unit u using strange_unit s where u.id = s.id;

delete from activation where id in (
  select id from (
    select a.id, row_number() over (partition by a.unit_id order by a.created_at desc) as place
    from activation a join unit u on u.id = a.unit_id where u.kind = 'agent') counted
  where place > 20);

-- Of each place that an agent looks at the last look stays: its next report says all again.
delete from observation o using binding b, target t
where b.id = o.binding_id and t.id = b.target_id and t.kind = 'agent' and o.push_id is null
  and exists (select from observation later
    where later.binding_id = o.binding_id and later.slot = o.slot and later.id > o.id);

-- Of a report beyond today's bounds the lists go; the next one brings them. One of an identity that has ended goes whole.
update agent set report = '{}' where state in ('revoked', 'expired') and report <> '{}';
update agent set report = report || '{"units": [], "refused": [], "seen": [], "incidents": []}'
where octet_length(report::text) > 2000000
  or jsonb_array_length(case jsonb_typeof(report -> 'units') when 'array' then report -> 'units' else '[]' end) > 4
  or jsonb_array_length(case jsonb_typeof(report -> 'refused') when 'array' then report -> 'refused' else '[]' end) > 64
  or jsonb_array_length(case jsonb_typeof(report -> 'seen') when 'array' then report -> 'seen' else '[]' end) > 2000;

update alert set message = left(message, 1999) || '…' where length(message) > 2000;
update alert set remedy = left(remedy, 999) || '…' where length(remedy) > 1000;
update target set error_message = left(error_message, 1999) || '…' where length(error_message) > 2000;
update target set check_error_message = left(check_error_message, 1999) || '…' where length(check_error_message) > 2000;
update activation set error_message = left(error_message, 1999) || '…' where length(error_message) > 2000;
update observation set reason = left(reason, 499) || '…' where length(reason) > 500;
