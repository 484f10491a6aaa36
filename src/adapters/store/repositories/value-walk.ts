/** The one row of the walk through the other value store. */
import { type Kysely, sql } from "kysely";
import type { ValueWalk, ValueWalkRepo } from "../../../core/store/value-walk.ts";
import type { Database } from "../schema/schema.ts";

export function createValueWalkRepo(db: Kysely<Database>): ValueWalkRepo {
  return {
    async take(forMs) {
      const { rows } = await sql<ValueWalk>`
        update value_walk set next_at = now() + ${forMs} * interval '1 millisecond' where next_at <= now()
        returning after_secret as "afterSecret", counted`.execute(db);
      return rows[0] ?? null;
    },

    async put({ afterSecret, counted }, isEnd, inMs) {
      await sql`
        update value_walk set after_secret = ${isEnd ? "" : afterSecret}, counted = ${isEnd ? 0 : counted},
          strangers = case when ${isEnd} then ${counted}::int else strangers end,
          next_at = now() + ${inMs} * interval '1 millisecond'`.execute(db);
    },

    async recordAway(away) {
      const code = away?.code ?? null;
      await sql`
        update value_walk set away_code = ${code}, away_reason = ${away?.reason ?? null},
          away_since = case when ${code}::text is null then null else coalesce(away_since, now()) end
        where away_code is distinct from ${code}::text`.execute(db);
    },

    async state() {
      const { rows } = await sql<{ strangers: number; since: Date | null; reason: string | null }>`
        select strangers, away_since as since, away_reason as reason from value_walk`.execute(db);
      const { strangers = 0, since = null, reason = null } = rows[0] ?? {};
      return { strangers, away: since === null || reason === null ? null : { since, reason } };
    },
  };
}
