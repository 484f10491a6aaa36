-- Whether a provider replaces its refresh tokens is what was seen, and how often it refused one is counted.
-- Locking: adds columns with constant defaults and a small index; updates the few rows of renewals.

alter table renewal
  -- it has handed out a new refresh token: a used one may be spent
  add column rotates boolean not null default false,
  -- of the refresh token that was presented last, since it was good last
  add column refusals integer not null default 0;

create index renewal_rotates on renewal (single_use_secret) where rotates;

-- What an earlier release wrote down of its last good answer.
update renewal set rotates = true where made_version is not null and not reusable;
