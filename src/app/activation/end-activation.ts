/** The end of an activation: whatever waited for it at its unit's targets may go on once that is committed. */
import type { ActivationRecord, ActivationRepo } from "../../core/store/activations.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { Next } from "../base/follow-ups.ts";

/** Throws LEASE_LOST when somebody else has it now. */
export async function endActivation(
  tx: Repositories,
  next: Next,
  activation: ActivationRecord,
  outcome: Parameters<ActivationRepo["end"]>[1],
): Promise<void> {
  await tx.activations.end(activation, outcome);
  next.changed(await tx.activations.targetsOfUnit(activation.unitId));
}
