/** What is put into, and removed from, the other value store. */
import { type Kysely, type RawBuilder, sql } from "kysely";
import type { ValueName } from "../../../core/ports/value-store.ts";
import type { DueValue, ValueIntentRepo } from "../../../core/store/value-intents.ts";
import type { Database } from "../schema/schema.ts";

/** Longer than any request takes to land there, and than any transaction to commit. */
const FORGOTTEN_AFTER = sql`interval '1 hour'`;

const is = ({ secretId, name }: ValueName) => sql`secret_id = ${secretId}::uuid and value_name = ${name}`;

export function createValueIntentRepo(db: Kysely<Database>): ValueIntentRepo {
  /** From here on it goes: whoever would still add its row is told so. */
  async function take(which: RawBuilder<unknown>, limit: number, forMs: number): Promise<DueValue[]> {
    const { rows } = await sql<DueValue>`
      update value_intent i set aim = 'removed', next_attempt_at = now() + ${forMs} * interval '1 millisecond'
      from (
        select o.secret_id, o.value_name from value_intent o
        where ${which}
          and not exists (select from secret_version v where v.secret_id = o.secret_id and v.value_name = o.value_name)
        order by o.next_attempt_at limit ${limit} for update skip locked) due
      where i.secret_id = due.secret_id and i.value_name = due.value_name
      returning i.secret_id as "secretId", i.version, i.value_name as name, i.attempts`.execute(db);
    return rows;
  }

  return {
    async begin({ secretId, version, name }, process) {
      await sql`
        insert into value_intent (secret_id, value_name, version, aim, process, next_attempt_at)
        values (${secretId}, ${name}, ${version}, 'kept', ${process}, now() + ${FORGOTTEN_AFTER})`.execute(
        db,
      );
    },

    async fulfil(value) {
      const { numAffectedRows } = await sql`
        delete from value_intent where ${is(value)} and aim = 'kept'`.execute(db);
      return numAffectedRows === 1n;
    },

    async giveUp(value) {
      const { numAffectedRows } = await sql`
        update value_intent set aim = 'removed', next_attempt_at = now() where ${is(value)} and aim = 'kept'`.execute(
        db,
      );
      return numAffectedRows === 1n;
    },

    async oweRemoval({ secretId, version, name }, process) {
      await sql`
        insert into value_intent (secret_id, value_name, version, aim, process, next_attempt_at)
        values (${secretId}, ${name}, ${version}, 'removed', ${process}, now())
        on conflict (secret_id, value_name) do update set aim = 'removed', next_attempt_at = now()`.execute(
        db,
      );
    },

    takeDue: (limit, forMs) => take(sql`o.next_attempt_at <= now()`, limit, forMs),

    async takeOne({ secretId, name }, forMs) {
      const which = sql`o.secret_id = ${secretId}::uuid and o.value_name = ${name} and o.aim = 'removed'`;
      return (await take(which, 1, forMs))[0] ?? null;
    },

    async removed(value) {
      await sql`delete from value_intent where ${is(value)} and aim = 'removed'`.execute(db);
    },

    async tryLater(value, inMs, errorCode) {
      await sql`
        update value_intent set attempts = attempts + 1, error_code = ${errorCode},
          next_attempt_at = now() + ${inMs} * interval '1 millisecond'
        where ${is(value)}`.execute(db);
    },

    async namesOf(secretId) {
      const { rows } = await sql<{ name: string }>`
        select value_name as name from value_intent where secret_id = ${secretId}`.execute(db);
      return new Set(rows.map(({ name }) => name));
    },

    async owed() {
      const { rows } = await sql<{ count: number; errorCode: string | null }>`
        select count(*)::int as count, max(error_code) as "errorCode" from value_intent
        where aim = 'removed' and attempts > 0`.execute(db);
      return rows[0] ?? { count: 0, errorCode: null };
    },
  };
}
