/** What is known of bindings at targets other than by what was written: by restarts, reports and observations. */
import { type Kysely, sql } from "kysely";
import type { Evidence } from "../../../core/evidence.ts";
import type { LoopBinding, TargetRepo } from "../../../core/store/targets.ts";
import { boundedJson } from "../../../lib/bounded-json.ts";
import { boundedLine } from "../../../lib/visible-text.ts";
import type { Database } from "../schema/schema.ts";
import { ms } from "./instants.ts";

/** What services and processes told, however much it was. */
const TOLD = { maxText: 500, maxItems: 200 };

type TargetEvidence = Pick<
  TargetRepo,
  "raiseReported" | "raiseAfterActivation" | "recordObservation" | "requestReports" | "unobserved"
>;

export function targetEvidence(db: Kysely<Database>): TargetEvidence {
  return {
    async raiseReported(bindingIds, evidence) {
      const weaker = evidence === "running" ? ["stored", "deployed"] : ["stored"];
      await sql`
        update binding set evidence = ${evidence}, evidence_at = now()
        where id = any(${[...bindingIds]}::uuid[]) and removed_at is null and evidence = any(${weaker})`.execute(
        db,
      );
    },

    async raiseAfterActivation(activationId) {
      await sql`
        update binding b set evidence = case when b.evidence = 'stored' then 'deployed' else b.evidence end,
          evidence_at = case when b.evidence = 'stored' then now() else b.evidence_at end, ran = b.settled
        from activation a join target_unit tu on tu.unit_id = a.unit_id
        where a.id = ${activationId} and b.target_id = tu.target_id and b.removed_at is null
          and b.evidence in ('stored', 'deployed', 'running', 'proven') and b.settled_at <= a.requested_at`.execute(
        db,
      );
    },

    async recordObservation(observation) {
      const { rows } = await sql<{ evidence: Evidence | null; settled: LoopBinding["settled"] }>`
        select evidence, settled from binding
        where id = ${observation.bindingId} and removed_at is null and settled_digest is not distinct from ${observation.settledDigest}
          and (settled_at is null or ${ms(sql`settled_at`)} <= ${observation.beganAtMs})
          and (looked_at is null or ${ms(sql`looked_at`)} <= ${observation.beganAtMs})
        for update`.execute(db);
      const [row] = rows;
      // Something was written there meanwhile, or a later observation came first: what was seen says nothing about now.
      if (row === undefined) return;
      const { evidence, lacks, reason: why } = observation.judge(row.evidence);
      const reason = why === null ? null : boundedLine(why, TOLD.maxText);
      const json = (told: object | null) => (told === null ? null : JSON.stringify(boundedJson(told, TOLD)));
      await sql`
        update binding set evidence = ${evidence}, evidence_at = now(), lacks = ${lacks}, look_reason = ${reason},
          looked_at = to_timestamp(${observation.beganAtMs} / 1000.0),
          lives = coalesce(${json(observation.lives)}::jsonb, lives),
          acceptance = coalesce(${json(observation.acceptance)}::jsonb, acceptance),
          used = coalesce(${json(observation.used)}::jsonb, used),
          used_by = coalesce(${json(observation.usedBy)}::jsonb, used_by)
        where id = ${observation.bindingId}`.execute(db);
    },

    async requestReports(targetIds) {
      await sql`
        update target set look_asked_at = clock_timestamp() where id = any(${[...targetIds]}::uuid[])`.execute(
        db,
      );
    },

    async unobserved({ targetId = null, silentMs, limit }) {
      // An agent's word may be anything: what is no plain number answers nothing.
      const answer = sql`case when a.report ->> 'look' ~ '^[0-9]{1,15}$' then (a.report ->> 'look')::bigint end`;
      const isAway = sql`a.short_lived and (a.last_seen_at is null or
        a.last_seen_at < now() - ${silentMs} * interval '1 millisecond')`;
      const { rows } = await sql<{ id: string }>`
        select distinct t.id from rollout r
          join binding b on b.secret_id = r.secret_id and b.removed_at is null and b.settled ? 'primary'
          join target t on t.id = b.target_id and t.removed_at is null
          cross join lateral (
            select least(min(${answer}), ${ms(sql`t.look_asked_at`)}) as at from agent a
            where a.target_id = t.id and a.state = 'active' and not (${isAway})
            having count(*) > 0 and count(*) = count(${answer})) answered
        where r.state in ('running', 'stalled') and t.look_asked_at is not null
          and (${targetId}::uuid is null or t.id = ${targetId})
          and (b.looked_at is null or ${ms(sql`b.looked_at`)} < ${ms(sql`t.look_asked_at`)})
          and (b.looked_at is null or ${ms(sql`b.looked_at`)} < answered.at)
          and (b.settled_at is null or ${ms(sql`b.settled_at`)} <= answered.at)
        limit ${limit}`.execute(db);
      return rows.map(({ id }) => id);
    },
  };
}
