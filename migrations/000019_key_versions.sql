-- Keys with versions: a key that is kept elsewhere is rotated there, by anybody and at any time, so that texts under
-- several of its versions stand side by side. The store names the key and the oldest version that it still takes; a
-- newer one is well. `rewrap` raises the version, and from then on an older one is refused as another key is.
-- Locking: replaces a function; no table is touched.

-- `tg_argv[0]` names the column. The third part of a sealed text is the name of its key: 16 characters, and with
-- versions `-v<number>` behind them.
create or replace function sealed_under_the_stores_key() returns trigger language plpgsql as $$
declare
  versioned constant text := '^(.{16})-v([1-9][0-9]{0,8})$';
  sealed text := to_jsonb(new) ->> tg_argv[0];
  sealing text;
  found_key text;
  taken boolean;
begin
  if sealed is null then return new; end if;
  if tg_op = 'UPDATE' and sealed is not distinct from to_jsonb(old) ->> tg_argv[0] then return new; end if;
  if tg_table_name = 'store_meta' then
    sealing := to_jsonb(new) ->> 'sealing_key_id';
  else
    select sealing_key_id into sealing from store_meta for share;
    if not found then return new; end if;
  end if;
  found_key := split_part(sealed, '.', 3);
  if sealing ~ versioned and found_key ~ versioned then
    taken := substring(found_key for 16) = substring(sealing for 16)
      and substring(found_key from 19)::int >= substring(sealing from 19)::int;
  else
    taken := found_key is not distinct from sealing;
  end if;
  if not taken then
    raise exception 'sealed under another root key than the store''s' using errcode = 'LK001';
  end if;
  return new;
end $$;
