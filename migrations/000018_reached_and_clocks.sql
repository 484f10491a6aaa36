-- Of one mail to several: who took it, so that only the others get it again.
-- Locking: a column with a constant default rewrites nothing.

alter table delivery add column reached text[] not null default '{}';

-- Of an agent whose requests are refused for its clock: by how much it is off, and since when that is known.
alter table agent add column clock_ahead_seconds integer, add column clock_refused_at timestamptz;
