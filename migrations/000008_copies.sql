-- Where a host holds further copies of what is kept right on it: names, lines and versions, never a value. As the last
-- look saw it; null: never looked.
-- Locking: adds columns without a rewrite.

alter table target add column copies jsonb;

-- Once a day what a look does not try: writing, and the right to restart. `test_failures`: [{"name": …, "message": …}].
alter table target
  add column tested_at timestamptz,
  add column test_failures jsonb;
