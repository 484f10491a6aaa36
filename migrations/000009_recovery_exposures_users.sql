-- Which root key a recovery copy was seen of, by the key's public name, and when: doctor warns while that is not the
-- key in use. Null: of none.
-- Locking: adds columns without a rewrite.

alter table store_meta
  add column recovery_key_id text,
  add column recovery_checked_at timestamptz,
  add constraint store_meta_recovery check ((recovery_key_id is null) = (recovery_checked_at is null));

-- Who else is given what a place holds, as the last `target test` saw it: [{"by": …, "except": […keys]}].
alter table target add column exposures jsonb;

-- Real uses that a verifier counted, by version: {"3": {"at": …, "callers": […]}}. Callers as they named themselves.
alter table binding add column used_by jsonb;
