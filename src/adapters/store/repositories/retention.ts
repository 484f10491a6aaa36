/**
 * Walks through history by its age, a bounded part at a time, one process at a time. Where a walk stands is kept in its
 * row. Instants stay in Postgres: in
 * JavaScript they would lose their microseconds, and a walk could meet the same rows for ever.
 */
import { type Kysely, type RawBuilder, sql } from "kysely";
import { HISTORY_KINDS, type HistoryKind } from "../../../core/retention.ts";
import type { RetentionRepo, SizeSample, TableSize } from "../../../core/store/retention.ts";
import { loadMigrations, tablesOf } from "../migration-files.ts";
import type { Database } from "../schema/schema.ts";
import { ms } from "./instants.ts";

interface History {
  readonly table: string;
  /** By which rows age; indexed. */
  readonly at: string;
  /** Of the row `h`: nobody needs it any more. */
  readonly isDone: RawBuilder<unknown>;
}

/** A further kind: its name in core/retention.ts, a line here, and its row of `retention_walk` by the migration. */
const HISTORY: Readonly<Record<HistoryKind, History>> = {
  changes: { table: "observation_change", at: "seen_at", isDone: sql`true` },
  pushes: {
    table: "push",
    at: "started_at",
    isDone: sql`h.outcome not in ('started', 'unknown')
      and exists (select from push l where l.target_id = h.target_id and l.started_at > h.started_at)
      and not exists (select from target_unit tu join lateral (select push_ids from activation
          where unit_id = tu.unit_id order by created_at desc limit 1) newest on true
        where tu.target_id = h.target_id and h.id = any(newest.push_ids))
      and not exists (select from push_item i join rollout r
          on r.secret_id = i.secret_id and r.state in ('running', 'stalled')
        where i.push_id = h.id)
      and not exists (select from push_item i join secret_version v
          on v.secret_id = i.secret_id and v.version = i.version and v.state in ('staged', 'current', 'retiring')
        where i.push_id = h.id and i.action = 'set'
          and not exists (select from push_item li join push l on l.id = li.push_id
            where li.binding_id = i.binding_id and li.version = i.version and li.action = 'set'
              and li.slot = i.slot and l.started_at > h.started_at))`,
  },
  restarts: {
    table: "activation",
    at: "created_at",
    isDone: sql`h.state not in ('owed', 'requested')
      and exists (select from activation l where l.unit_id = h.unit_id and l.created_at > h.created_at)
      and exists (select from activation l where l.unit_id = h.unit_id and l.ended_at > coalesce(h.ended_at, h.created_at)
        and (h.state <> 'succeeded' or l.state = 'succeeded'))`,
  },
  alerts: { table: "alert", at: "resolved_at", isDone: sql`true` },
  messages: {
    table: "delivery",
    at: "created_at",
    isDone: sql`h.state <> 'pending'
      and exists (select from delivery l where l.channel_id = h.channel_id and l.created_at > h.created_at
        and (l.state = 'delivered' or (h.state <> 'delivered' and l.error_message is not null)))`,
  },
};

export function createRetentionRepo(db: Kysely<Database>): RetentionRepo {
  return {
    async step({ retention, limit, againInMs }) {
      if (!(await isAlone(db))) return null;
      const { rows } = await sql<{ kind: HistoryKind }>`
        select kind from retention_walk where next_at <= now() order by next_at, kind limit 1`.execute(db);
      const kind = rows[0]?.kind;
      if (kind === undefined) return null;
      const keptForMs = retention[kind];
      const { looked, deleted } =
        keptForMs === null ? { looked: 0, deleted: 0 } : await deletePart(db, kind, keptForMs, limit);
      if (looked < limit) {
        await sql`
          update retention_walk set after_at = null, next_at = now() + ${againInMs} * interval '1 millisecond'
          where kind = ${kind}`.execute(db);
      }
      return { kind, deleted };
    },

    async tableSizes() {
      const { rows } = await sql<TableSize>`
        select c.relname as "table", greatest(c.reltuples, 0)::bigint as rows,
          pg_total_relation_size(c.oid)::bigint as bytes
        from pg_class c where ${isOurs()} order by 3 desc, 1`.execute(db);
      return rows;
    },

    async sampleSize() {
      await sql`
        insert into store_size (day, bytes)
        select (now() at time zone 'utc')::date, sum(pg_total_relation_size(c.oid)) from pg_class c
        where ${isOurs()} and not exists (select from store_size where day = (now() at time zone 'utc')::date)
        having count(*) > 0 on conflict do nothing`.execute(db);
    },

    async sizeSamples(days) {
      const { rows } = await sql<SizeSample>`
        select ${ms(sql`day at time zone 'utc'`)} as "atMs", bytes from store_size
        where day > (now() at time zone 'utc')::date - ${days}::int order by day`.execute(db);
      return rows;
    },
  };
}

/** Until the transaction ends. Makes the rows where they are missing. */
async function isAlone(db: Kysely<Database>): Promise<boolean> {
  const locked = sql`select from retention_walk where kind = ${HISTORY_KINDS[0]} for update skip locked`;
  if ((await locked.execute(db)).rows.length > 0) return true;
  await sql`
    insert into retention_walk (kind) select * from unnest(${[...HISTORY_KINDS]}::text[])
    where not exists (select from retention_walk) on conflict do nothing`.execute(db);
  return (await locked.execute(db)).rows.length > 0;
}

/** Whatever shares one instant is looked at together, so that the walk always gets further. */
async function deletePart(
  db: Kysely<Database>,
  kind: HistoryKind,
  keptForMs: number,
  limit: number,
): Promise<{ readonly looked: number; readonly deleted: number }> {
  const { table, at, isDone } = HISTORY[kind];
  const age = sql.ref(`h.${at}`);
  const isIn = sql`${age} > part.after_at and ${age} <= part.upto`;
  const gone =
    kind === "pushes"
      ? // Items first: they refer to their push, and both go in one statement.
        sql`chosen as (select h.id from push h, part where ${isIn} and ${isDone}),
          items as (delete from push_item i using chosen where i.push_id = chosen.id),
          gone as (delete from push p using chosen where p.id = chosen.id returning 1)`
      : sql`gone as (delete from ${sql.table(table)} h using part where ${isIn} and ${isDone} returning 1)`;
  const { rows } = await sql<{ looked: number; deleted: number }>`
    with walk as (select coalesce(after_at, '-infinity') as after_at from retention_walk where kind = ${kind}),
      part as materialized (
        select walk.after_at, count(next.at)::int as looked, max(next.at) as upto
        from walk left join lateral (
          select ${age} as at from ${sql.table(table)} h
          where ${age} > walk.after_at and ${age} < now() - ${keptForMs} * interval '1 millisecond'
          order by 1 limit ${limit}) next on true
        group by walk.after_at),
      ${gone},
      moved as (update retention_walk set after_at = part.upto from part
        where kind = ${kind} and part.upto is not null)
    select part.looked, (select count(*)::int from gone) as deleted from part`.execute(db);
  return rows[0] ?? { looked: 0, deleted: 0 };
}

function isOurs(): RawBuilder<unknown> {
  const tables = tablesOf(loadMigrations());
  return sql`c.relnamespace = current_schema()::regnamespace and c.relkind = 'r' and c.relname = any(${[...tables]})`;
}
