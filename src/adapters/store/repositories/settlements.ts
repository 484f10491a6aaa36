/** How a run at a target ends in its row and in its bindings' rows. */
import { type Kysely, sql } from "kysely";
import { LockstepError } from "../../../core/errors.ts";
import type { SettledBinding, Settlement } from "../../../core/store/targets.ts";
import type { Database } from "../schema/schema.ts";
import { EPOCH } from "./standing.ts";

export function settleStatement(targetId: string, token: number, settlement: Settlement) {
  const { nextActionInMs, generation, inFlight } = settlement;
  const { marked, left } = inFlight === "as-is" ? { marked: null, left: null } : inFlight;
  // Whoever told of a late write meanwhile has moved the end: that stays.
  const known = sql`(${left !== null} and in_flight_until is not distinct from ${marked}::timestamptz)`;
  const until = left === null || left.leftMs === 0 ? null : left.until;
  // New intent that came meanwhile keeps its own time and its clean slate.
  return sql`
    update target set
      settled_generation = coalesce(${generation}::bigint, settled_generation),
      lease_until = null, lease_owner = null,
      in_flight_until = case when ${known} then ${until}::timestamptz else in_flight_until end,
      in_flight_digest = case when ${known} then ${until === null ? null : (left?.digest ?? null)}::text
        else in_flight_digest end,
      attempts = case when generation = ${generation}::bigint then 0 else ${settlement.attempts} end,
      next_action_at = case when ${nextActionInMs}::bigint is null then null
        else now() + ${nextActionInMs ?? 0} * interval '1 millisecond' end,
      gave_up_at = case when ${settlement.gaveUp} then now() else null end,
      error_code = ${settlement.error?.code ?? null}, error_message = ${settlement.error?.message ?? null}
    where id = ${targetId} and lease_token = ${token} and lease_until is not null`;
}

export async function settleBinding(
  db: Kysely<Database>,
  targetId: string,
  generation: number,
  binding: SettledBinding,
): Promise<void> {
  const wrote = binding.written.length > 0;
  await sql`
    update binding set settled = ${JSON.stringify(binding.settled)}::jsonb, settled_epoch = ${EPOCH}, settled_digest = ${binding.digest},
      settled_at = case when ${wrote} or settled_digest is distinct from ${binding.digest}
        or evidence is null or evidence = 'acknowledged' then now() else settled_at end,
      evidence = case when ${wrote} or settled_digest is distinct from ${binding.digest}
        or evidence is null or evidence = 'acknowledged' then ${binding.evidence} else evidence end,
      acceptance = case when ${wrote} or settled_digest is distinct from ${binding.digest} then '{}'::jsonb
        else acceptance end,
      lacks = lacks and not (${wrote} or settled_digest is distinct from ${binding.digest}),
      evidence_at = now(), take_over = take_over and not ${wrote}
    where id = ${binding.bindingId}`.execute(db);
  if (binding.fallbackGone) {
    await sql`
      update ownership set written_generation = null
      where binding_id = ${binding.bindingId} and slot = 'fallback' and not prune`.execute(db);
  }
  for (const { placement, key } of binding.written) {
    await sql`
      update ownership set written_generation = ${generation}
      where target_id = ${targetId} and binding_id = ${binding.bindingId} and placement = ${placement}
        and key = ${key}`.execute(db);
  }
}

export function assertHeld(affected: bigint | undefined, targetId: string): void {
  if (affected !== 1n) throw leaseLost(targetId);
}

export function leaseLost(targetId: string): LockstepError {
  return new LockstepError("LEASE_LOST", "Another worker took over this target.", {
    details: { target: targetId },
  });
}
