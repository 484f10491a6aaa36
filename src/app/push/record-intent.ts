/**
 * The write-ahead record: which keys are about to be written, that a write may be in flight, and that the units owe a
 * restart. Committed before anything is sent, so that a crash at any later point still ends in a read-back and in
 * the restart.
 */
import { SYSTEM } from "../../core/actor.ts";
import { invariant } from "../../core/invariant.ts";
import type { Order } from "../../core/order.ts";
import type { UnitSpec } from "../../core/ports/place.ts";
import type { Found, PlannedItem } from "../../core/reconcile/plan-change.ts";
import type { PushItem } from "../../core/store/pushes.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { Lease } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import type { Desired } from "../desired/desired.ts";
import { slotsDigest } from "../desired/digest.ts";
import { orderOf } from "../orders/given-order.ts";
import { kindOf } from "../targets/open-target.ts";

/** One attempt to make a place hold what it should. */
export interface PushRun {
  readonly lease: Lease;
  readonly order: Order;
  readonly desired: Desired;
  /**
   * The place carries an order as high as ours, or higher, that this store gave to something else, for example to another
   * target of the same file: ours must be above it. Null: it carries none such.
   */
  readonly overtakenAt: number | null;
  /** Until when a write may land, as it is stored now: with ours, once its intent is. */
  readonly marked: string | null;
}

export interface Intent {
  readonly pushId: string;
  /** Under the number that the write has: the lease's, or a higher one where that was given to something else. */
  readonly run: PushRun;
}

/** Throws LEASE_LOST, STORE_SET_BACK. */
export async function recordIntent(
  context: AppContext,
  before: PushRun,
  items: readonly PlannedItem[],
  units: readonly UnitSpec[],
  keepCopies = false,
): Promise<Intent> {
  const { target, token } = before.lease;
  const { inFlightMs } = kindOf(context, target.kind).capabilities(target.config);
  const actor = target.intentActor ?? SYSTEM;
  const digest = slotsDigest(before.desired.slots);
  return context.store.transaction(async (tx) => {
    await tx.meta.assertMayMove();
    const run = await numbered(context, tx, before);
    const { epoch, generation, digest: inFlightDigest } = run.order;
    const marked = await tx.targets.markInFlight(target.id, token, {
      digest: inFlightDigest,
      inFlightMs: inFlightMs === 0 ? 0 : inFlightMs + context.timing.sendWithinMs,
    });
    const pushId = await tx.pushes.start({
      targetId: target.id,
      epoch,
      generation,
      attempt: target.attempts + 1,
      leaseToken: token,
      actor: { ...actor, via: [...(actor.via ?? []), context.processId] },
      digest,
      items: pushItems(items),
    });
    for (const unit of units) {
      await tx.activations.owe({
        unit,
        targetId: target.id,
        digest,
        pushId,
        quietMs: context.timing.quietMs,
        maxQuietMs: context.timing.maxQuietMs,
      });
    }
    if (keepCopies) await tx.keptCopies.keep(target.id, writtenPlacements(items));
    await tx.audit.append({
      action: "push.started",
      actor,
      subject: { kind: "target", id: target.id, name: target.name },
      details: {
        push: pushId,
        generation,
        keys: items
          .filter((item) => item.action === "set" || item.action === "unset")
          .map((item) => item.key),
      },
    });
    return { pushId, run: { ...run, marked } };
  });
}

/**
 * A number is given to one content alone. What is wanted may change without new intent (a version that was marked
 * compromised, a rollout that another took the place of), and another target of the same file may have gone further.
 */
async function numbered(context: AppContext, tx: Repositories, run: PushRun): Promise<PushRun> {
  const { target, token } = run.lease;
  const isFree = run.overtakenAt === null && (await tx.orders.give(target.id, run.order));
  if (isFree) return run;
  const above = Math.max(target.generation, run.overtakenAt ?? 0);
  const generation = await tx.targets.raiseGeneration(target.id, token, above);
  const raised = { ...target, generation };
  const order = orderOf(context, raised, run.desired.slots);
  invariant(await tx.orders.give(target.id, order), "a generation that was just raised is nobody's");
  return { ...run, lease: { ...run.lease, target: raised }, order, overtakenAt: null };
}

function writtenPlacements(items: readonly PlannedItem[]): readonly string[] {
  const written = items.filter(({ action }) => action === "set" || action === "unset");
  return [...new Set(written.map(({ placement }) => placement))];
}

export function pushItems(items: readonly PlannedItem[]): readonly PushItem[] {
  return items.flatMap((item) =>
    item.action === "blocked" || item.action === "left"
      ? []
      : [
          {
            bindingId: item.bindingId,
            secretId: item.secretId,
            placement: item.placement,
            key: item.key,
            slot: item.slot,
            version: item.version,
            action: item.action,
            replaced: item.action === "unchanged" ? null : foundText(item.found),
          },
        ],
  );
}

export function foundText(found: Found): string {
  return found.kind === "version" ? `v${found.version}` : found.kind;
}
