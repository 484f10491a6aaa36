/**
 * Starts what a unit owes: one restart or redeploy. The ids of what exists are committed before the request, so that
 * after a lost answer or a killed worker whatever is newer is known to be ours and nothing is asked for twice.
 */
import { SYSTEM } from "../../core/actor.ts";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import type { Activator } from "../../core/ports/activator.ts";
import { nextTry } from "../../core/reconcile/retry.ts";
import type { ActivationRecord } from "../../core/store/activations.ts";
import { startStopwatch } from "../../lib/stopwatch.ts";
import type { AppContext } from "../base/context.ts";
import { heldClaim, withLeaseRenewal } from "../base/lease-renewal.ts";
import { transact } from "../base/transaction.ts";
import { withTarget } from "../targets/open-target.ts";
import { endActivation } from "./end-activation.ts";
import { failedActivation } from "./failed-activation.ts";

export async function activateUnit(
  context: AppContext,
  activationId: string,
  signal: AbortSignal,
): Promise<void> {
  const claimed = await context.store.transaction((tx) =>
    tx.activations.claim(activationId, context.processId, context.timing.leaseMs),
  );
  if (claimed === null) return;
  const target = await context.store.read.targets.findById(claimed.targetId);
  if (target === null) return end(context, claimed, "superseded");
  try {
    await withLeaseRenewal(context, heldClaim(context, [claimed]), signal, (held) =>
      withTarget(context, target, async ({ activator }) => {
        if (activator === null) return end(context, claimed, "dormant");
        await request(context, claimed, activator, held);
      }),
    );
  } catch (error) {
    await recordFailure(context, claimed, toLockstepError(error), signal);
  }
}

async function request(
  context: AppContext,
  activation: ActivationRecord,
  activator: Activator,
  signal: AbortSignal,
): Promise<void> {
  const { knownIds, dormant } = await activator.prepare(activation.unit, signal);
  if (dormant) return end(context, activation, "dormant");
  const sinceMs = startStopwatch();
  const marked = await context.store.transaction(async (tx) => {
    const ours = await tx.activations.markRequested(activation, {
      knownIds,
      deadlineMs: context.timing.activationDeadlineMs,
      pollInMs: context.timing.minPollMs,
    });
    if (!ours) return false;
    await tx.audit.append({
      action: "activation.requested",
      actor: SYSTEM,
      subject: { kind: "unit", id: activation.unitId, name: activation.unit.name },
      details: { activation: activation.id, attempt: activation.attempts + 1 },
    });
    return true;
  });
  if (!marked) return;
  await context.checkpoint("activation-intent");
  // Whoever was stopped here restarts nothing any more: another worker may have done it.
  if (sinceMs() > context.timing.sendWithinMs) throw stoppedMeanwhile(activation);
  try {
    const { id } = await context.telemetry.during("activation", activation.unit.kind, () =>
      activator.activate(activation.unit, signal),
    );
    await context.checkpoint("activated");
    if (id !== null) {
      await context.store.transaction((tx) => tx.activations.recordExternalId(activation, id));
    }
  } catch (error) {
    const failure = toLockstepError(error);
    // Nobody knows whether it was heard: following finds out by the ids.
    if (failure.verdict !== "read-back") throw failure;
    context.log.warn("activation unknown", { unit: activation.unit.name, code: failure.code });
  }
  const { minPollMs } = context.timing;
  await transact(context, async (tx, next) => {
    await tx.activations.pollAgain(activation, minPollMs);
    next.follow(activation.unit.followGroup, minPollMs);
  });
}

function stoppedMeanwhile({ unit }: ActivationRecord): LockstepError {
  return new LockstepError(
    "TARGET_UNAVAILABLE",
    `Did not restart ${unit.name}: this process stood still for too long after it had decided to.`,
  );
}

/** The place said no, or was not reached: surely nothing was started. */
async function recordFailure(
  context: AppContext,
  activation: ActivationRecord,
  error: LockstepError,
  signal: AbortSignal,
): Promise<void> {
  if (error.code === "LEASE_LOST") return;
  context.log.warn("activation failed", {
    unit: activation.unit.name,
    code: error.code,
    reason: error.message,
  });
  const next = nextTry(error, activation.attempts, context.random());
  if (next.kind === "gave-up")
    return failedActivation(context, activation, error.code, error.message, signal);
  await context.store.transaction((tx) =>
    tx.activations.retry(activation, {
      inMs: next.delayMs,
      spendsAttempt: false,
      error: { code: error.code, message: error.message },
    }),
  );
}

async function end(
  context: AppContext,
  activation: ActivationRecord,
  state: "dormant" | "superseded",
): Promise<void> {
  await transact(context, (tx, next) => endActivation(tx, next, activation, { state, error: null }));
}
