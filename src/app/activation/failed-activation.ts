/**
 * A failed activation is tried once more by itself. After a second failure of the same digest, changes of several rollouts
 * are tried one at a time; the change of one blocks the unit for a person, and what stood there before is put back where
 * that cannot hurt.
 */
import { SYSTEM } from "../../core/actor.ts";
import type { ErrorCode } from "../../core/errors.ts";
import type { ActivationRecord } from "../../core/store/activations.ts";
import type { AppContext } from "../base/context.ts";
import { dispatch, transact } from "../base/transaction.ts";
import { restoreAfterFailure } from "../push/restore-target.ts";
import { isolateFailure } from "./isolate-failure.ts";

const MAX_AUTOMATIC_ATTEMPTS = 2;

export async function failedActivation(
  context: AppContext,
  activation: ActivationRecord,
  code: ErrorCode,
  message: string,
  signal: AbortSignal,
): Promise<void> {
  const error = { code, message };
  const isBlocked = await transact(context, async (tx, next) => {
    if (activation.attempts + 1 < MAX_AUTOMATIC_ATTEMPTS) {
      const inMs = context.timing.retryFailedActivationMs;
      await tx.activations.retry(activation, { inMs, spendsAttempt: true, error });
      return false;
    }
    const taken = await isolateFailure(tx, activation, message);
    await tx.activations.end(activation, { state: taken === null ? "blocked" : "superseded", error });
    await tx.audit.append({
      action: "activation.finished",
      actor: SYSTEM,
      subject: { kind: "unit", id: activation.unitId, name: activation.unit.name },
      details: { activation: activation.id, outcome: taken === null ? "blocked" : "taken-apart", code },
    });
    next.reconcile(taken ?? []);
    return taken === null;
  });
  const { unit, requestedAgoMs } = activation;
  context.telemetry.activationEnded(unit.kind, isBlocked ? "blocked" : "failed", requestedAgoMs / 1_000);
  if (isBlocked) await restoreAfterFailure(context, activation, signal);
  // Rollouts say why they stall: only now is it known whether the former content is back.
  const targetIds = await context.store.read.activations.targetsOfUnit(activation.unitId);
  await dispatch(context, (next) => next.changed(targetIds));
}
