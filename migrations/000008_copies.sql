-- Where a host holds further copies of what is kept right on it: names, lines and versions, never a value. As the last
-- look saw it; null: never looked.
-- Locking: adds a column without a rewrite.

alter table target add column copies jsonb;
