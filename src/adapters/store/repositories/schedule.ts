/** Secrets that rotate by schedule. */
import { type Kysely, type RawBuilder, sql } from "kysely";
import type { JsonObject } from "../../../core/json.ts";
import { policyOf } from "../../../core/policy.ts";
import type { ScheduledSecret, ScheduleRepo } from "../../../core/store/schedule.ts";
import type { Database } from "../schema/schema.ts";
import { ms } from "./instants.ts";

type Stored = Omit<ScheduledSecret, "policy"> & { readonly policy: JsonObject };

export function createScheduleRepo(db: Kysely<Database>): ScheduleRepo {
  return {
    candidates: () => candidates(db, sql`true`),

    async candidate(secretId) {
      const [candidate] = await candidates(db, sql`s.id = ${secretId}`);
      return candidate ?? null;
    },

    async postpone(secretId, inMs) {
      await sql`
        update secret set rotate_not_before = now() + ${inMs} * interval '1 millisecond' where id = ${secretId}`.execute(
        db,
      );
    },
  };
}

async function candidates(
  db: Kysely<Database>,
  which: RawBuilder<unknown>,
): Promise<readonly ScheduledSecret[]> {
  const { rows } = await sql<Stored>`
        select s.id, s.environment_id as "environmentId", e.name as environment, s.name, s.policy,
          v.version as "currentVersion", ${ms(sql`now()`)} as "nowMs",
          ${ms(sql`now()`)} - ${ms(sql`v.created_at`)} as "ageMs"
        from secret s join environment e on e.id = s.environment_id
          join secret_version v on v.secret_id = s.id and v.state = 'current'
        where ${which} and s.removed_at is null and s.policy #> '{rotate,every}' is not null
          and (s.rotate_not_before is null or s.rotate_not_before <= now())
          and not exists (select 1 from rollout r where r.secret_id = s.id and r.state in ('running', 'stalled'))
        order by v.created_at`.execute(db);
  return rows.map((row) => ({ ...row, policy: policyOf(row.policy) }));
}
