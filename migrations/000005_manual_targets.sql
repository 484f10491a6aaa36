-- Places in other hands: what people said stands there, and which values they were shown.
-- Locking: creates tables only.

create table manual_place (
  target_id uuid not null references target (id) on delete cascade,
  placement text not null,
  key text not null,
  version int not null,
  confirmed_by jsonb not null,
  confirmed_at timestamptz not null default now(),
  primary key (target_id, placement, key)
);

-- Each value of a step is shown once; again only for a person who says why, by `secret reveal`.
create table manual_reveal (
  target_id uuid not null references target (id) on delete cascade,
  generation bigint not null,
  key text not null,
  actor jsonb not null,
  revealed_at timestamptz not null default now(),
  primary key (target_id, generation, key)
);
