-- A store that was set back knows it by what it finds: an order under which it never gave anything. Orders are therefore
-- kept when they are given; what an earlier release gave has none, and is told by its pushes. An epoch begins by a
-- person's word, which the store signs for its agents; what was settled before counts as ours no more until it was seen.
-- Locking: adds columns without a rewrite and creates tables; nothing is read or written meanwhile.

create table given_order (
  -- over what is held under this order, keyed; see core/order.ts
  digest text primary key,
  target_id uuid not null references target (id),
  epoch integer not null,
  generation bigint not null,
  given_at timestamptz not null default now()
);
create index given_order_target on given_order (target_id, epoch, generation);

create table epoch_entry (
  epoch integer primary key,
  -- JWS of the bundle key: what agents are shown
  signed text not null,
  reason text not null,
  actor jsonb not null,
  begun_at timestamptz not null default now()
);

-- Since when every place is only looked at, and what showed it: where, which order, in a mark or a report.
alter table store_meta
  add column set_back_at timestamptz,
  add column set_back_target uuid,
  add column set_back_seen text,
  add column set_back_by text check (set_back_by in ('mark', 'report')),
  add constraint store_meta_set_back check ((set_back_at is null) = (set_back_seen is null));

alter table binding add column settled_epoch integer not null default 1;
