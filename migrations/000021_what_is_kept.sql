-- What is seen at places holds one row for each binding and slot; changes stand apart, for a while. Until now each look
-- added a row and nothing removed any. The newest of each is copied and the old table goes, and with it its disk space at
-- once. The history of looks in it was shown nowhere.
-- Locking: holds `observation` while the newest rows are copied, by their index: a few seconds for a million bindings.

alter table observation rename to observation_before;
alter table observation_before rename constraint observation_pkey to observation_before_pkey;

create table observation (
  binding_id uuid not null references binding (id),
  slot text not null check (slot in ('primary', 'fallback')),
  -- for the release before, which takes the highest for the newest
  id bigint generated always as identity,
  push_id uuid,
  -- version | unknown | absent | unreadable
  found text not null check (found in ('version', 'unknown', 'absent', 'unreadable')),
  version integer,
  reason text,
  -- since when every look found the same (found, version)
  first_seen_at timestamptz not null,
  observed_at timestamptz not null default now(),
  primary key (binding_id, slot)
) with (fillfactor = 70);

insert into observation (binding_id, slot, push_id, found, version, reason, first_seen_at, observed_at)
select b.id, slots.slot, o.push_id, o.found, o.version, o.reason, o.observed_at, o.observed_at
from binding b cross join unnest(array['primary', 'fallback']) as slots (slot) cross join lateral (
  select * from observation_before seen
  where seen.binding_id = b.id and seen.slot = slots.slot order by -seen.id limit 1) o;

drop table observation_before;

create table observation_change (
  id bigint generated always as identity primary key,
  binding_id uuid not null references binding (id),
  slot text not null check (slot in ('primary', 'fallback')),
  found text not null,
  version integer,
  reason text,
  push_id uuid,
  seen_at timestamptz not null
);
insert into observation_change (binding_id, slot, found, version, reason, push_id, seen_at)
select binding_id, slot, found, version, reason, push_id, observed_at from observation;
create index observation_change_of on observation_change (binding_id, slot, id desc);
create index observation_change_seen on observation_change (seen_at);

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
