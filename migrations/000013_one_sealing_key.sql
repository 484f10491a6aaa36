-- Which root key everything is sealed under, by its public name. A process that was left behind with another key wrote
-- on, and `rewrap` said that the old key was not needed any more: now the store itself refuses a text under another
-- key. Who seals holds a share of the store's row until its transaction ends, so that a change of the key comes before
-- or after it, never within.
-- Locking: adds a column to a table of one row, and triggers; short exclusive locks, no rewrite.

alter table store_meta add column sealing_key_id text;
update store_meta set sealing_key_id = split_part(key_check, '.', 3);
alter table store_meta alter column sealing_key_id set not null;

-- `tg_argv[0]` names the column. The third part of a sealed text is the name of its key.
create function sealed_under_the_stores_key() returns trigger language plpgsql as $$
declare
  sealed text := to_jsonb(new) ->> tg_argv[0];
  sealing text;
begin
  if sealed is null then return new; end if;
  if tg_op = 'UPDATE' and sealed is not distinct from to_jsonb(old) ->> tg_argv[0] then return new; end if;
  if tg_table_name = 'store_meta' then
    sealing := to_jsonb(new) ->> 'sealing_key_id';
  else
    select sealing_key_id into sealing from store_meta for share;
    if not found then return new; end if;
  end if;
  if split_part(sealed, '.', 3) is distinct from sealing then
    raise exception 'sealed under another root key than the store''s' using errcode = 'LK001';
  end if;
  return new;
end $$;

create trigger sealed_value before insert or update of value_sealed on secret_version
  for each row execute function sealed_under_the_stores_key('value_sealed');
create trigger sealed_credentials before insert or update of credentials_sealed on target
  for each row execute function sealed_under_the_stores_key('credentials_sealed');
create trigger sealed_private before insert or update of private_sealed on store_key
  for each row execute function sealed_under_the_stores_key('private_sealed');
create trigger sealed_mac_key before insert or update of mac_key_sealed on enrolment
  for each row execute function sealed_under_the_stores_key('mac_key_sealed');
create trigger sealed_credentials before insert or update of credentials_sealed on channel
  for each row execute function sealed_under_the_stores_key('credentials_sealed');
create trigger sealed_fingerprint_key before insert or update of fingerprint_key_sealed on store_meta
  for each row execute function sealed_under_the_stores_key('fingerprint_key_sealed');
create trigger sealed_key_check before insert or update of key_check on store_meta
  for each row execute function sealed_under_the_stores_key('key_check');
