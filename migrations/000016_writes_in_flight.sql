-- What the writes that may still land were: a late copy of what stands there changes nothing, and is not waited for.
-- Writes in flight from before are of nobody knows what: they are waited for as ever.
-- Locking: adds a nullable column, no rewrite.

alter table target add column in_flight_digest text;
