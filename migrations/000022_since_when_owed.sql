-- Since when a target does not hold what it should, for whoever watches: told from the two generations by the store itself,
-- whoever changes them, an earlier release included. And two indexes by which what ends is counted without reading the rest.
-- Locking: adds a nullable column, no rewrite; updates the rows that are owed now; builds two small indexes, during which
-- versions and tokens are not written.

alter table target add column owed_since timestamptz;

create function target_owed_since() returns trigger language plpgsql as $$
begin
  if new.generation = new.settled_generation then
    new.owed_since := null;
  elsif tg_op = 'INSERT' or old.generation = old.settled_generation then
    new.owed_since := now();
  end if;
  return new;
end $$;
create trigger target_owed_since before insert or update of generation, settled_generation on target
  for each row execute function target_owed_since();

-- What is owed already counts from now: nobody wrote down since when.
update target set owed_since = now() where generation <> settled_generation;

create index secret_version_ends on secret_version (expires_at) where state = 'current' and expires_at is not null;
create index api_token_ends on api_token (expires_at) where revoked_at is null and expires_at is not null;
