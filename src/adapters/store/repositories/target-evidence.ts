/** What is known of bindings at targets other than by what was written: by restarts, reports and looks. */
import { type Kysely, sql } from "kysely";
import type { Evidence } from "../../../core/evidence.ts";
import type { LoopBinding, TargetRepo } from "../../../core/store/targets.ts";
import { boundedJson } from "../../../lib/bounded-json.ts";
import { boundedLine } from "../../../lib/visible-text.ts";
import type { Database } from "../schema.ts";
import { ms } from "./instants.ts";

/** What services and processes told, however much it was. */
const TOLD = { maxText: 500, maxItems: 200 };

type TargetEvidence = Pick<
  TargetRepo,
  "raiseReported" | "raiseAfterActivation" | "recordObservation" | "requestReports"
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

    async recordObservation(look) {
      const { rows } = await sql<{ evidence: Evidence | null; settled: LoopBinding["settled"] }>`
        select evidence, settled from binding
        where id = ${look.bindingId} and removed_at is null and settled_digest is not distinct from ${look.settledDigest}
          and (settled_at is null or ${ms(sql`settled_at`)} <= ${look.beganAtMs})
          and (looked_at is null or ${ms(sql`looked_at`)} <= ${look.beganAtMs})
        for update`.execute(db);
      const [row] = rows;
      // Something was written there meanwhile, or a later look came first: what was seen says nothing about now.
      if (row === undefined) return;
      const { evidence, lacks, reason: why } = look.judge(row.evidence);
      const reason = why === null ? null : boundedLine(why, TOLD.maxText);
      const json = (told: object | null) => (told === null ? null : JSON.stringify(boundedJson(told, TOLD)));
      await sql`
        update binding set evidence = ${evidence}, evidence_at = now(), lacks = ${lacks}, look_reason = ${reason},
          looked_at = to_timestamp(${look.beganAtMs} / 1000.0),
          lives = coalesce(${json(look.lives)}::jsonb, lives),
          acceptance = coalesce(${json(look.acceptance)}::jsonb, acceptance),
          used = coalesce(${json(look.used)}::jsonb, used),
          used_by = coalesce(${json(look.usedBy)}::jsonb, used_by)
        where id = ${look.bindingId}`.execute(db);
    },

    async requestReports(targetIds) {
      await sql`
        update target set look_asked_at = clock_timestamp() where id = any(${[...targetIds]}::uuid[])`.execute(
        db,
      );
    },
  };
}
