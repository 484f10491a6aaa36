/** Where the values of versions are. */
import { type Kysely, sql } from "kysely";
import type { StoredValue } from "../../../core/ports/value-store.ts";
import { DEFAULT_WAITS } from "../../../core/rollout/options.ts";
import type { TroubledValue, ValuePlaceRepo } from "../../../core/store/value-places.ts";
import type { Database } from "../schema/schema.ts";

const FIRST_ID = "00000000-0000-0000-0000-000000000000";

interface Columns {
  readonly value_sealed: string | null;
  readonly value_name: string | null;
  readonly value_created_time: string | null;
}

export function toColumns(stored: StoredValue): Columns {
  return stored.kind === "sealed"
    ? { value_sealed: stored.sealed, value_name: null, value_created_time: null }
    : { value_sealed: null, value_name: stored.name, value_created_time: stored.createdTime };
}

export const NO_VALUE = {
  value_sealed: null,
  value_name: null,
  value_created_time: null,
  value_looked_at: null,
  value_trouble: null,
} as const;

function toStored({ value_sealed, value_name, value_created_time }: Columns): StoredValue | null {
  if (value_sealed !== null) return { kind: "sealed", sealed: value_sealed };
  if (value_name === null) return null;
  return { kind: "named", name: value_name, createdTime: value_created_time ?? "" };
}

interface Row extends Columns {
  readonly secretId: string;
  readonly version: number;
  readonly fingerprint: string;
}

const isKind = (kind: StoredValue["kind"]) =>
  kind === "sealed" ? sql<boolean>`value_sealed is not null` : sql<boolean>`value_name is not null`;

export function createValuePlaceRepo(db: Kysely<Database>): ValuePlaceRepo {
  const rows = db
    .selectFrom("secret_version")
    .select([
      "secret_id as secretId",
      "version",
      "fingerprint",
      "value_sealed",
      "value_name",
      "value_created_time",
    ]);
  const toPlaced = ({ secretId, version, fingerprint, ...columns }: Row) => {
    const stored = toStored(columns);
    return stored === null ? [] : [{ secretId, version, fingerprint, stored }];
  };

  return {
    async of(secretId, version) {
      const row = await rows
        .where("secret_id", "=", secretId)
        .where("version", "=", version)
        .executeTakeFirst();
      return (row === undefined ? [] : toPlaced(row))[0] ?? null;
    },

    async page(kind, after, limit) {
      const found = await rows
        .where(isKind(kind))
        .where(
          sql<boolean>`(secret_id, version) > (${after?.secretId ?? FIRST_ID}::uuid, ${after?.version ?? 0}::int)`,
        )
        .orderBy("secret_id")
        .orderBy("version")
        .limit(limit)
        .execute();
      return found.flatMap(toPlaced);
    },

    async count(kind) {
      const { rows } = await sql<{ count: number }>`
        select count(*)::int as count from secret_version where ${isKind(kind)}`.execute(db);
      return rows[0]?.count ?? 0;
    },

    async move({ secretId, version }, from, to) {
      const { numUpdatedRows } = await db
        .updateTable("secret_version")
        .set({ ...toColumns(to), value_looked_at: null, value_trouble: null })
        .where("secret_id", "=", secretId)
        .where("version", "=", version)
        .where(
          from.kind === "sealed"
            ? sql<boolean>`value_sealed = ${from.sealed}`
            : sql<boolean>`value_name = ${from.name}`,
        )
        .executeTakeFirst();
      return numUpdatedRows === 1n;
    },

    async namesOf(secretId) {
      const { rows } = await sql<{ names: string[]; highest: number }>`
        select coalesce(array_agg(value_name) filter (where value_name is not null), '{}') as names,
          coalesce(max(version), 0) as highest
        from secret_version where secret_id = ${secretId}`.execute(db);
      return { names: new Set(rows[0]?.names), highest: rows[0]?.highest ?? 0 };
    },

    async takeUnlooked(sinceMs, limit) {
      const { rows } = await sql<{
        secretId: string;
        version: number;
        name: string;
        createdTime: string;
      }>`
        update secret_version v set value_looked_at = now()
        from (
          select o.secret_id, o.version from secret_version o
          where o.value_name is not null
            and (o.value_looked_at is null or o.value_looked_at < now() - ${sinceMs} * interval '1 millisecond')
            and (o.state in ('staged', 'current', 'retiring') or (o.state = 'retired' and exists (
              select from rollout r
              where r.secret_id = o.secret_id and r.from_version = o.version and r.state = 'done'
                and r.ended_at + (coalesce(r.options ->> 'undoForMs', ${String(DEFAULT_WAITS.undoForMs)}))::bigint
                  * interval '1 millisecond' > now())))
          order by o.value_looked_at nulls first limit ${limit} for update skip locked) due
        where v.secret_id = due.secret_id and v.version = due.version
        returning v.secret_id as "secretId", v.version, v.value_name as name, v.value_created_time as "createdTime"`.execute(
        db,
      );
      return rows;
    },

    async recordLook({ secretId, version, name }, trouble) {
      await db
        .updateTable("secret_version")
        .set({ value_trouble: trouble })
        .where("secret_id", "=", secretId)
        .where("version", "=", version)
        .where("value_name", "=", name)
        .execute();
    },

    async lookAgain(values) {
      for (const { secretId, version } of values)
        await db
          .updateTable("secret_version")
          .set({ value_looked_at: null })
          .where("secret_id", "=", secretId)
          .where("version", "=", version)
          .execute();
    },

    async troubled(limit) {
      const { rows } = await sql<TroubledValue>`
        select v.secret_id as "secretId", v.version, s.name as secret, e.name as environment, v.value_trouble as trouble
        from secret_version v join secret s on s.id = v.secret_id join environment e on e.id = s.environment_id
        where v.value_trouble is not null order by e.name, s.name, v.version limit ${limit}`.execute(db);
      return rows;
    },
  };
}
