-- Runs in the place of ../000021_what_is_kept.sql and leaves the same behind, which a test compares: that file holds its
-- tables while everything is copied, half a minute for 500,000 bindings, and a worker's statement ends after 30 s.
-- Locking: copies beside the work; then holds the tables for what was seen meanwhile, the foreign keys and three indexes.

create table observation_next (
  binding_id uuid not null,
  slot text not null constraint observation_slot_check1 check (slot in ('primary', 'fallback')),
  id bigint generated always as identity,
  push_id uuid,
  found text not null constraint observation_found_check1 check (found in ('version', 'unknown', 'absent', 'unreadable')),
  version integer,
  reason text,
  first_seen_at timestamptz not null,
  observed_at timestamptz not null default now()
) with (fillfactor = 70);
create table observation_change (
  id bigint generated always as identity,
  binding_id uuid not null,
  slot text not null check (slot in ('primary', 'fallback')),
  found text not null,
  version integer,
  reason text,
  push_id uuid,
  seen_at timestamptz not null
);

-- Under the lock for a moment: no row that is numbered up to here is still to come.
create table observation_copied (until_id bigint not null);
do $$
declare
  until_id bigint;
begin
  for try in 1 .. 300 loop
    begin
      set local lock_timeout = '200ms';
      lock table observation in share mode;
      select coalesce(max(id), 0) into until_id from observation;
      -- lets go of the lock
      raise exception using errcode = 'LKUP0';
    exception
      when sqlstate 'LKUP0' then exit;
      when lock_not_available or deadlock_detected then perform pg_sleep(0.1 + random() * 0.3);
    end;
  end loop;
  if until_id is null then
    raise exception using errcode = 'lock_not_available', message = 'observation is never free';
  end if;
  insert into observation_copied values (until_id);
end $$;

insert into observation_next (binding_id, slot, push_id, found, version, reason, first_seen_at, observed_at)
select b.id, slots.slot, o.push_id, o.found, o.version, o.reason, o.observed_at, o.observed_at
from binding b cross join unnest(array['primary', 'fallback']) as slots (slot) cross join lateral (
  select * from observation seen
  where seen.binding_id = b.id and seen.slot = slots.slot and -seen.id >= -(select until_id from observation_copied)
  order by -seen.id limit 1) o;
alter table observation_next add constraint observation_next_pkey primary key (binding_id, slot);
insert into observation_change (binding_id, slot, found, version, reason, push_id, seen_at)
select binding_id, slot, found, version, reason, push_id, observed_at from observation_next;
alter table observation_change add constraint observation_change_pkey primary key (id);
create index observation_change_of on observation_change (binding_id, slot, id desc);
create index observation_change_seen on observation_change (seen_at);

-- Together or not at all, and shorter than deadlock_timeout: whoever holds one of them and wants another goes on.
do $$
begin
  for try in 1 .. 300 loop
    begin
      set local lock_timeout = '200ms';
      lock table binding, push, observation, activation, delivery, alert in access exclusive mode;
      set local lock_timeout = '2s';
      return;
    exception
      when lock_not_available or deadlock_detected then perform pg_sleep(0.1 + random() * 0.3);
    end;
  end loop;
  raise exception using errcode = 'lock_not_available', message = 'the tables are never free';
end $$;

with late as (
  select distinct on (binding_id, slot) * from observation
  where id > (select until_id from observation_copied) order by binding_id, slot, id desc),
seen as (
  insert into observation_next as o (binding_id, slot, push_id, found, version, reason, first_seen_at, observed_at)
  select binding_id, slot, push_id, found, version, reason, observed_at, observed_at from late
  on conflict (binding_id, slot) do update set push_id = excluded.push_id, found = excluded.found,
    version = excluded.version, reason = excluded.reason, first_seen_at = excluded.first_seen_at,
    observed_at = excluded.observed_at),
gone as (
  delete from observation_change c using late where c.binding_id = late.binding_id and c.slot = late.slot)
insert into observation_change (binding_id, slot, found, version, reason, push_id, seen_at)
select binding_id, slot, found, version, reason, push_id, observed_at from late;

drop table observation, observation_copied;
alter table observation_next rename to observation;
alter table observation rename constraint observation_next_pkey to observation_pkey;
alter sequence observation_next_id_seq rename to observation_id_seq1;
alter table observation add constraint observation_binding_id_fkey1 foreign key (binding_id) references binding (id);
alter table observation_change
  add constraint observation_change_binding_id_fkey foreign key (binding_id) references binding (id);

-- Whoever writes, this release or the one before: what differs from what was seen before is a change. Reasons do not
-- count: they may be worded anew by each look.
create function note_observation_change() returns trigger language plpgsql as $$
begin
  insert into observation_change (binding_id, slot, found, version, reason, push_id, seen_at)
  values (new.binding_id, new.slot, new.found, new.version, new.reason, new.push_id, new.observed_at);
  return null;
end $$;
create trigger observation_first after insert on observation
  for each row execute function note_observation_change();
create trigger observation_changed after update on observation
  for each row when ((old.found, old.version) is distinct from (new.found, new.version))
  execute function note_observation_change();

-- The release before adds a row for each look, and does not know `first_seen_at`: that row takes the place of the last.
create function observe_as_before() returns trigger language plpgsql as $$
#variable_conflict use_column
declare
  replaced integer;
begin
  new.first_seen_at := new.observed_at;
  update observation o set push_id = new.push_id, found = new.found, version = new.version, reason = new.reason,
    observed_at = new.observed_at,
    first_seen_at = case when (o.found, o.version) is not distinct from (new.found, new.version)
      then o.first_seen_at else new.observed_at end
  where o.binding_id = new.binding_id and o.slot = new.slot;
  get diagnostics replaced = row_count;
  return case when replaced = 0 then new end;
end $$;
create trigger observation_as_before before insert on observation
  for each row when (new.first_seen_at is null) execute function observe_as_before();

-- One row for each kind of history: how far the walk through its old rows has come, and when the next one begins.
create table retention_walk (
  kind text primary key,
  next_at timestamptz not null default now(),
  after_at timestamptz
);
create index activation_created on activation (created_at);
create index delivery_created on delivery (created_at);
create index alert_resolved on alert (resolved_at) where resolved_at is not null;

-- The store's size, once a day: what it grows by.
create table store_size (
  day date primary key,
  bytes bigint not null
);
