/** Changes of units that are set aside, and what units ran with before. */
import { type Kysely, sql } from "kysely";
import type { AsideRepo } from "../../../core/store/asides.ts";
import type { Database } from "../schema/schema.ts";
import { ms } from "./instants.ts";

export function createAsideRepo(db: Kysely<Database>): AsideRepo {
  return {
    async ofUnit(unitId) {
      const { rows } = await sql<Awaited<ReturnType<AsideRepo["ofUnit"]>>[number]>`
        select b.id as "bindingId", b.target_id as "targetId", b.role, b.aside,
          jsonb_build_object('primary', b.settled -> 'primary', 'fallback', b.settled -> 'fallback') as settled,
          case when b.ran is null then null
            else jsonb_build_object('primary', b.ran -> 'primary', 'fallback', b.ran -> 'fallback') end as ran,
          case when r.id is null then null else jsonb_build_object('id', r.id, 'strategy', r.strategy, 'phase', r.phase,
            'fromVersion', r.from_version, 'toVersion', r.to_version, 'held', r.held,
            'isRollback', r.rollback_of is not null,
            'startedAtMs', ${ms(sql`r.started_at`)}) end as rollout,
          exists (select 1 from secret_version v where v.secret_id = b.secret_id and v.version = r.from_version
            and (v.compromised_at is not null or v.state = 'destroyed')) as "isOldCompromised"
        from target_unit tu join target t on t.id = tu.target_id and t.removed_at is null
          join binding b on b.target_id = t.id and b.removed_at is null
          left join rollout r on r.secret_id = b.secret_id and r.state in ('running', 'stalled')
        where tu.unit_id = ${unitId} order by b.id for update of b`.execute(db);
      return rows;
    },

    async set(bindingId, aside) {
      await sql`
        update binding set aside = ${aside === null ? null : JSON.stringify(aside)}::jsonb where id = ${bindingId}`.execute(
        db,
      );
    },

    async clear(rolloutId) {
      const { rows } = await sql<{ id: string }>`
        update binding set aside = null where aside ->> 'rolloutId' = ${rolloutId} and removed_at is null
        returning target_id as id`.execute(db);
      return [...new Set(rows.map(({ id }) => id))].sort();
    },
  };
}
