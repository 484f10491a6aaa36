/**
 * Makes one target hold what it should, once: lease ▸ desired ▸ observe ▸ plan ▸ record intent ▸ apply ▸ read back ▸
 * record. Level-triggered: it asks what must be there now, never what happened, so it may run at any time, any number
 * of times, in any process; a second run writes nothing.
 *
 * What may die between two steps, and what follows:
 *   after lease, observe   nothing happened; the lease runs out, the next run starts over
 *   after intent           a push row stands open and its activation is owed; the next run reads back: equal → the
 *                          push succeeded, different → written again
 *   after write            the same
 *   after record           the activation is owed in its own row
 *
 * It never restarts anything: activations are rows of their own (see activate-unit.ts).
 */
import { type LockstepError, toLockstepError } from "../../core/errors.ts";
import { nextTry } from "../../core/reconcile/retry.ts";
import type { Lease } from "../../core/store/targets.ts";
import { reconcileAgents } from "../agents/reconcile-agents.ts";
import type { AppContext } from "../base/context.ts";
import { type HeldLease, withLeaseRenewal } from "../base/lease-renewal.ts";
import { dispatch } from "../base/transaction.ts";
import { reconcileManual } from "../manual/reconcile-manual.ts";
import { runPush } from "../push/run-push.ts";
import { kindOf, withTarget } from "../targets/open-target.ts";

/** Answers whether a run took place: false when another worker holds the target or nothing is owed. */
export async function reconcileTarget(
  context: AppContext,
  targetId: string,
  signal: AbortSignal,
): Promise<boolean> {
  const lease = await context.store.transaction((tx) =>
    tx.targets.lease(targetId, context.processId, context.timing.leaseMs),
  );
  if (lease === null) return false;
  const { delivery } = kindOf(context, lease.target.kind);
  if (delivery === "agent") {
    await reconcileAgents(context, lease);
    return true;
  }
  if (delivery === "manual") {
    await reconcileManual(context, lease);
    await dispatch(context, (next) => next.changed([targetId]));
    return true;
  }
  await context.checkpoint("leased");
  try {
    await context.telemetry.during("push", lease.target.kind, () =>
      withLeaseRenewal(context, heldLease(context, lease), signal, (leaseSignal) =>
        withTarget(context, lease.target, (target) => runPush(context, lease, target, leaseSignal)),
      ),
    );
  } catch (error) {
    await recordFailure(context, lease, toLockstepError(error));
  }
  await dispatch(context, (next) => next.changed([targetId]));
  return true;
}

function heldLease(context: AppContext, { target, token }: Lease): HeldLease {
  return {
    name: target.name,
    renew: (leaseMs) => context.store.transaction((tx) => tx.targets.renewLease(target.id, token, leaseMs)),
  };
}

/** Failures before any intent was recorded: no write was sent. */
async function recordFailure(context: AppContext, lease: Lease, error: LockstepError): Promise<void> {
  if (error.code === "LEASE_LOST") {
    context.log.info("lease lost", { target: lease.target.name });
    return;
  }
  context.log.warn("reconcile failed", {
    target: lease.target.name,
    code: error.code,
    reason: error.message,
  });
  const next = nextTry(error, lease.target.attempts, context.random());
  try {
    await context.store.transaction(async (tx) => {
      await tx.targets.settle(lease.target.id, lease.token, {
        generation: null,
        attempts: lease.target.attempts + (next.kind === "in" && !next.spendsAttempt ? 0 : 1),
        nextActionInMs: next.kind === "in" ? next.delayMs : null,
        gaveUp: next.kind === "gave-up",
        error: { code: error.code, message: error.message },
        inFlight: "as-is",
      });
      if (next.kind === "gave-up") {
        await tx.audit.append({
          action: "push.gave_up",
          actor: { kind: "system", id: "worker", name: "worker" },
          subject: { kind: "target", id: lease.target.id, name: lease.target.name },
          details: { code: error.code, generation: lease.target.generation },
        });
      }
    });
    context.telemetry.pushEnded(lease.target.kind, "not_sent");
  } catch (failure) {
    if (toLockstepError(failure).code !== "LEASE_LOST") throw failure;
  }
}
