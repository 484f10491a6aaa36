-- A version's value may be kept elsewhere, under a name, instead of sealed in its row. What is to be put there, and what
-- has to go from there, stands here before anybody asks the other store, so that a process may die at any moment.
-- Locking: adds columns without a default, replaces a check (one scan of the versions), and creates tables.

alter table secret_version
  add column value_name text check (value_name ~ '^[1-9][0-9]*-[0-9a-f]{16}$'),
  -- as the other store says it: a value that was removed there and written anew has another
  add column value_created_time text,
  add column value_looked_at timestamptz,
  -- how it was found there: not as it was put
  add column value_trouble text check (value_trouble in ('changed', 'deleted', 'destroyed', 'absent'));
alter table secret_version drop constraint secret_version_check;
alter table secret_version
  add constraint secret_version_one_value
    check (num_nonnulls(value_sealed, value_name) = case when state = 'destroyed' then 0 else 1 end),
  add constraint secret_version_named_value check ((value_name is null) = (value_created_time is null));
create unique index secret_version_value_name on secret_version (secret_id, value_name) where value_name is not null;
create index secret_version_value_looked_at on secret_version (value_looked_at) where value_name is not null;
create index secret_version_value_trouble on secret_version (secret_id) where value_trouble is not null;

create table value_intent (
  secret_id uuid not null references secret (id),
  value_name text not null,
  version integer not null,
  -- kept: it is being put, and the version's row will name it; removed: it has to go
  aim text not null check (aim in ('kept', 'removed')),
  process text not null,
  created_at timestamptz not null default now(),
  attempts integer not null default 0,
  next_attempt_at timestamptz not null,
  error_code text,
  primary key (secret_id, value_name)
);
create index value_intent_due on value_intent (next_attempt_at);

-- One row: how far the walk through the other store has come, and since when it could not be asked.
create table value_walk (
  only_one boolean primary key default true check (only_one),
  next_at timestamptz not null default now(),
  after_secret text not null default '',
  -- found there and never put by this store: a sign that it was set back, or that another copy of it runs. On the
  -- whole way before this one, and on this one so far.
  strangers integer not null default 0,
  counted integer not null default 0,
  away_since timestamptz,
  away_code text,
  -- in our own words
  away_reason text
);
insert into value_walk default values;
