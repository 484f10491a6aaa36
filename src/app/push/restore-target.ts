/**
 * Puts back what stood at a host before a change that its unit cannot run with. Restoring is itself a push, and
 * happens only while what callers may send stays within what verifiers must accept: when no other place holds any of
 * the secrets, so that nothing can disagree with the older value. Otherwise the new value stays and a person decides.
 */

import { SYSTEM } from "../../core/actor.ts";
import { toLockstepError } from "../../core/errors.ts";
import { invariant } from "../../core/invariant.ts";
import type { Restorer } from "../../core/ports/restorer.ts";
import type { ActivationRecord } from "../../core/store/activations.ts";
import type { Lease } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import { loadDesired } from "../desired/desired.ts";
import { slotsDigest } from "../desired/digest.ts";
import { restoringOrderOf } from "../orders/given-order.ts";
import { withTarget } from "../targets/open-target.ts";

/** After an activation was blocked. Answers whether the former content is back and its unit was asked to restart. */
export async function restoreAfterFailure(
  context: AppContext,
  activation: ActivationRecord,
  signal: AbortSignal,
): Promise<boolean> {
  const { read } = context.store;
  if (!(await read.targets.standsAlone(activation.targetId))) return false;
  // Its copy holds what was destroyed, pruned or is known to somebody else.
  if (await read.keptCopies.isAnyOwed(activation.targetId)) return false;
  const target = await context.store.read.targets.findById(activation.targetId);
  if (target === null) return false;
  return withTarget(context, target, async ({ restorer, activator }) => {
    if (restorer === undefined) return false;
    const lease = await context.store.transaction((tx) =>
      tx.targets.leaseForRestore(activation.targetId, context.processId, context.timing.leaseMs),
    );
    if (lease === null) return false;
    const restored = await putBack(context, lease, restorer, signal);
    if (restored) await activator?.activate(activation.unit, signal).catch(() => undefined);
    return restored;
  });
}

async function putBack(
  context: AppContext,
  lease: Lease,
  restorer: Restorer,
  signal: AbortSignal,
): Promise<boolean> {
  const { slots } = await loadDesired(context, lease.target.id);
  const placements = [...new Set(slots.map((slot) => slot.placement))];
  const order = restoringOrderOf(context, lease.target, placements);
  const pushId = await context.store.transaction(async (tx) => {
    invariant(await tx.orders.give(lease.target.id, order), "the lease came with a number of its own");
    return await tx.pushes.start({
      targetId: lease.target.id,
      epoch: lease.target.epoch,
      generation: lease.target.generation,
      attempt: 1,
      leaseToken: lease.token,
      actor: { ...SYSTEM, id: "restore", name: "restore after a failed activation" },
      digest: slotsDigest(slots),
      items: [],
    });
  });
  try {
    await restorer.restore(placements, order, signal);
    await end(context, lease, pushId, null);
    return true;
  } catch (error) {
    const { code, message } = toLockstepError(error);
    await end(context, lease, pushId, { code, message });
    return false;
  }
}

/** The change stays wanted and owed, and waits for a person: `rollout resume` or a newer version. */
async function end(
  context: AppContext,
  lease: Lease,
  pushId: string,
  error: { readonly code: string; readonly message: string } | null,
): Promise<void> {
  await context.store.transaction(async (tx) => {
    await tx.pushes.end(pushId, {
      outcome: error === null ? "succeeded" : "failed",
      evidence: error === null ? "acknowledged" : null,
      error,
    });
    if (error === null) await tx.targets.dropEvidence(lease.target.id);
    await tx.targets.settle(lease.target.id, lease.token, {
      generation: null,
      attempts: 0,
      nextActionInMs: null,
      gaveUp: true,
      error: {
        code: "ACTIVATION_FAILED",
        message:
          error === null
            ? "the unit did not run with the new value; what stood there before was put back"
            : `the unit did not run with the new value, and putting the former one back failed: ${error.message}`,
      },
      inFlight: { marked: lease.inFlight.until, left: lease.inFlight },
    });
  });
  context.telemetry.pushEnded(lease.target.kind, error === null ? "succeeded" : "failed");
}
