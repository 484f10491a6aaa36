/**
 * A failed activation is tried once more by itself; a second failure of the same digest blocks the unit for a person,
 * and puts back what stood there before where that cannot hurt.
 */
import { SYSTEM } from "../../core/actor.ts";
import type { ErrorCode } from "../../core/errors.ts";
import type { ActivationRecord } from "../../core/ports/store/activations.ts";
import type { AppContext } from "../context.ts";
import { afterActivation } from "./after-activation.ts";
import { restoreAfterFailure } from "./restore-target.ts";

const MAX_AUTOMATIC_ATTEMPTS = 2;

export async function failedActivation(
  context: AppContext,
  activation: ActivationRecord,
  code: ErrorCode,
  message: string,
  signal: AbortSignal,
): Promise<void> {
  const error = { code, message };
  const blocked = await context.store.transaction(async (tx) => {
    if (activation.attempts + 1 < MAX_AUTOMATIC_ATTEMPTS) {
      const inMs = context.timing.retryFailedActivationMs;
      await tx.activations.retry(activation.id, { inMs, spendsAttempt: true, error });
      return false;
    }
    await tx.activations.end(activation.id, { state: "blocked", error });
    await tx.audit.append({
      action: "activation.finished",
      actor: SYSTEM,
      subject: { kind: "unit", id: activation.unitId, name: activation.unit.name },
      details: { activation: activation.id, outcome: "blocked", code },
    });
    return true;
  });
  if (blocked) await restoreAfterFailure(context, activation, signal);
  await afterActivation(context, activation);
}
