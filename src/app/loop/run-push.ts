/** One push: observe, plan, intent, apply, read back, record. The lease is held by the caller. */
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import { compareOrder, type Order } from "../../core/order.ts";
import type { Lease } from "../../core/ports/store/targets.ts";
import type { Target, TargetObservation } from "../../core/ports/target.ts";
import { distrustLag } from "../../core/reconcile/distrust-lag.ts";
import { type PlannedItem, planChange } from "../../core/reconcile/plan-change.ts";
import { startStopwatch } from "../../lib/stopwatch.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { AppContext } from "../context.ts";
import { kindOf } from "../open-target.ts";
import { type Desired, loadDesired } from "./desired.ts";
import { tellLateWrite } from "./late-write.ts";
import { recordIntent } from "./record-intent.ts";
import { recordFailedPush, recordSettled } from "./record-push.ts";

export interface Run {
  readonly lease: Lease;
  readonly order: Order;
  readonly desired: Desired;
}

export async function runPush(
  context: AppContext,
  lease: Lease,
  target: Target,
  signal: AbortSignal,
): Promise<void> {
  const run: Run = {
    lease,
    order: { storeId: context.storeId, epoch: context.epoch, generation: lease.target.generation },
    desired: await loadDesired(context, lease.target.id),
  };
  const observation = await look(run, target, signal);
  assertOursIsNewest(run, observation);
  const items = toWrite(context, run, plan(context, run, observation));
  await context.checkpoint("observed");

  if (!items.some(isWrite)) {
    await recordSettled(context, run, { pushId: null, planned: items, seen: items });
    return;
  }
  const sinceIntentMs = startStopwatch();
  const pushId = await recordIntent(context, run, items, observation.units);
  await context.checkpoint("intent");
  let sent = false;
  try {
    try {
      assertNotStopped(context, run, sinceIntentMs());
      sent = true;
      await write(context, run, target, items, signal);
      await context.checkpoint("written");
      const after = await readBack(context, run, target, signal);
      await context.checkpoint("read-back");
      await recordSettled(context, run, { pushId, planned: items, seen: after });
    } catch (error) {
      const failure = toLockstepError(error);
      if (failure.code === "LEASE_LOST") throw failure;
      await recordFailedPush(context, run, pushId, failure);
    }
  } catch (error) {
    if (sent && toLockstepError(error).code === "LEASE_LOST") await tellLateWrite(context, run, pushId);
    throw error;
  }
  await context.checkpoint("recorded");
}

function isWrite(item: PlannedItem): boolean {
  return item.action === "set" || item.action === "unset";
}

function look(run: Run, target: Target, signal: AbortSignal): Promise<TargetObservation> {
  return target.observe([...run.desired.slots, ...run.desired.pruned], signal);
}

function plan(context: AppContext, run: Run, observation: TargetObservation): readonly PlannedItem[] {
  return planChange(run.desired.slots, run.desired.pruned, observation.keys, context.sameValue);
}

function toWrite(
  context: AppContext,
  { lease: { target }, desired }: Run,
  items: readonly PlannedItem[],
): readonly PlannedItem[] {
  if (kindOf(context, target.kind).capabilities(target.config).readsLag !== true) return items;
  const settled = desired.bindings.filter((binding) => binding.settled.primary !== undefined);
  return distrustLag(items, desired.slots, new Set(settled.map(({ id }) => id)));
}

/** Law 3 where the place cannot refuse by itself: a newer mark found there stops us before anything is sent. */
function assertOursIsNewest(run: Run, observation: TargetObservation): void {
  if (observation.order === null) return;
  const verdict = compareOrder(run.order, observation.order);
  if (verdict === "newer" || verdict === "same") return;
  const told = run.desired.slots.some((slot) => slot.takeOver);
  if (verdict === "foreign-store" && told) return;
  const who = verdict === "foreign-store" ? "another Lockstep store" : "a newer write of this store";
  throw new LockstepError(
    "ORDER_REFUSED",
    `Cannot write to target "${run.lease.target.name}": it carries the mark of ${who}.`,
    {
      hint:
        verdict === "foreign-store"
          ? "If this store shall take the place over, repeat `lockstep apply --take-over`."
          : "This store was restored or copied; look at `lockstep history` before going on.",
    },
  );
}

/** Whoever was stopped after the intent sends nothing: others may count the write as landed or lost, and write anew. */
function assertNotStopped({ timing }: AppContext, { lease }: Run, sinceIntentMs: number): void {
  if (sinceIntentMs <= timing.sendWithinMs) return;
  throw new LockstepError(
    "TARGET_UNAVAILABLE",
    `Did not write to target "${lease.target.name}": this process stood still for too long after it had decided to.`,
  );
}

async function write(
  context: AppContext,
  run: Run,
  target: Target,
  items: readonly PlannedItem[],
  signal: AbortSignal,
): Promise<void> {
  const { inFlightMs } = kindOf(context, run.lease.target.kind).capabilities(run.lease.target.config);
  const change = {
    set: items.flatMap((item) =>
      item.action === "set" && item.value !== null
        ? [{ placement: item.placement, key: item.key, value: item.value }]
        : [],
    ),
    unset: items.filter((item) => item.action === "unset").map(({ placement, key }) => ({ placement, key })),
  };
  if (inFlightMs === 0) {
    await target.apply(change, run.order, signal);
    return;
  }
  // Nothing is sent once others may count the write as landed or lost.
  await withDeadline(signal, inFlightMs, (limited) => target.apply(change, run.order, limited));
}

/** Looks until the write shows, at most the configured number of times: a read directly after a write may be old. */
async function readBack(
  context: AppContext,
  run: Run,
  target: Target,
  signal: AbortSignal,
): Promise<readonly PlannedItem[]> {
  for (const delayMs of [...context.timing.readBackDelaysMs, null]) {
    const items = plan(context, run, await look(run, target, signal));
    if (!items.some((item) => isWrite(item) && item.found.kind !== "unreadable")) return items;
    if (delayMs !== null) await pause(delayMs, signal);
  }
  throw new LockstepError(
    "READ_BACK_MISMATCH",
    `Wrote to target "${run.lease.target.name}", but reading back shows another value.`,
  );
}

function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(done, delayMs);
    signal.addEventListener("abort", aborted, { once: true });
    function done(): void {
      signal.removeEventListener("abort", aborted);
      resolve();
    }
    function aborted(): void {
      clearTimeout(timer);
      reject(signal.reason);
    }
  });
}
