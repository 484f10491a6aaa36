-- Of one mail to several: who took it, so that only the others get it again.
-- Locking: a column with a constant default rewrites nothing.

alter table delivery add column reached text[] not null default '{}';
