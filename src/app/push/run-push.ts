/** One push: observe, plan, intent, apply, read back, record. The lease is held by the caller. */
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import { compareOrder } from "../../core/order.ts";
import type { UnitSpec } from "../../core/ports/place.ts";
import type { Target, TargetObservation } from "../../core/ports/target.ts";
import { distrustLag } from "../../core/reconcile/distrust-lag.ts";
import { type PlannedItem, planChange } from "../../core/reconcile/plan-change.ts";
import type { Lease } from "../../core/store/targets.ts";
import { startStopwatch } from "../../lib/stopwatch.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { AppContext } from "../base/context.ts";
import { loadDesired } from "../desired/desired.ts";
import { orderOf } from "../orders/given-order.ts";
import { judgeOrders } from "../orders/judge-orders.ts";
import { kindOf } from "../targets/open-target.ts";
import { tellLateWrite } from "./late-write.ts";
import { type PushRun, recordIntent } from "./record-intent.ts";
import { recordFailedPush, recordSettled } from "./record-push.ts";

/** What takes a key from here restarts with it where something is bound there: it is given to us to restart. */
async function unitsOf(
  context: AppContext,
  { units, users = [] }: TargetObservation,
): Promise<readonly UnitSpec[]> {
  const others = users.filter(({ key }) => !units.some((unit) => unit.key === key));
  if (others.length === 0) return units;
  const owners = await context.store.read.config.ownersAt(others.map(({ locationKey: place }) => place));
  const bound = new Set(owners.filter(({ live }) => live).map(({ place }) => place));
  const added = others.filter(({ locationKey: place }) => bound.has(place));
  return [...units, ...added.map(({ locationKey: _place, keys: _keys, ...unit }) => unit)];
}

export async function runPush(
  context: AppContext,
  lease: Lease,
  target: Target,
  signal: AbortSignal,
): Promise<void> {
  const desired = await loadDesired(context, lease.target.id);
  const order = orderOf(context, lease.target, desired.slots);
  const looked: PushRun = { lease, order, desired, overtakenAt: null, marked: lease.inFlight.until };
  const observation = await look(looked, target, signal);
  await judgeOrders(context, lease.target, observation.orders, "mark");
  const planned: PushRun = { ...looked, overtakenAt: overtakenAt(looked, observation) };
  const items = toWrite(context, planned, plan(context, planned, observation));
  await context.checkpoint("observed");

  if (!items.some(isWrite)) {
    const { orders } = observation;
    await recordSettled(context, planned, { pushId: null, planned: items, seen: items, orders });
    return;
  }
  const keepCopies = await mayBeRestored(context, planned, target, items);
  const sinceIntentMs = startStopwatch();
  const { pushId, run } = await recordIntent(
    context,
    planned,
    items,
    await unitsOf(context, observation),
    keepCopies,
  );
  await context.checkpoint("intent");
  let sent = false;
  let isAnswered = false;
  try {
    try {
      assertNotStopped(context, run, sinceIntentMs());
      sent = true;
      await write(context, run, target, { items, keepCopies }, signal).catch((error: unknown) =>
        refused(context, run, target, toLockstepError(error), signal),
      );
      isAnswered = true;
      await context.checkpoint("written");
      const after = await readBack(context, run, target, signal);
      await context.checkpoint("read-back");
      await recordSettled(context, run, { pushId, planned: items, seen: after });
    } catch (error) {
      const failure = toLockstepError(error);
      if (failure.code === "LEASE_LOST") throw failure;
      await recordFailedPush(context, run, pushId, failure, isAnswered);
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

function look(run: PushRun, target: Target, signal: AbortSignal): Promise<TargetObservation> {
  return target.observe([...run.desired.slots, ...run.desired.pruned], signal);
}

function plan(context: AppContext, run: PushRun, observation: TargetObservation): readonly PlannedItem[] {
  return planChange(run.desired.slots, run.desired.pruned, observation.keys, context.sameValue);
}

function toWrite(
  context: AppContext,
  { lease: { target }, desired }: PushRun,
  items: readonly PlannedItem[],
): readonly PlannedItem[] {
  if (kindOf(context, target.kind).capabilities(target.config).readsLag !== true) return items;
  const settled = desired.bindings.filter((binding) => binding.settled.primary !== undefined);
  return distrustLag(items, desired.slots, new Set(settled.map(({ id }) => id)));
}

/** Law 3: of our own marks all are known by now, and ours must be the highest; throws ORDER_REFUSED for another store's. */
function overtakenAt(run: PushRun, { orders }: TargetObservation): number | null {
  const verdicts = orders.map((order) => ({ order, verdict: compareOrder(run.order, order) }));
  const told = run.desired.slots.some((slot) => slot.takeOver);
  if (!told && verdicts.some(({ verdict }) => verdict === "foreign-store")) {
    throw new LockstepError(
      "ORDER_REFUSED",
      `Cannot write to target "${run.lease.target.name}": it carries the mark of another Lockstep store.`,
      { hint: "If this store shall take the place over, repeat `lockstep apply --take-over`." },
    );
  }
  const higher = verdicts.flatMap(({ order, verdict }) =>
    verdict === "older" || verdict === "disputed" ? [order.generation] : [],
  );
  return higher.length === 0 ? null : Math.max(...higher);
}

/** The place itself refused our order: what it carries tells whether this store was set back. Always throws. */
async function refused(
  context: AppContext,
  run: PushRun,
  target: Target,
  error: LockstepError,
  signal: AbortSignal,
): Promise<never> {
  if (error.code !== "ORDER_REFUSED") throw error;
  const { orders } = await look(run, target, signal);
  await judgeOrders(context, run.lease.target, orders, "mark");
  if (orders.some(({ storeId }) => storeId !== run.order.storeId)) throw error;
  // A write of this store came in between: the next look sees it.
  throw new LockstepError("WRITE_CONFLICT", error.message);
}

/** Whoever was stopped after the intent sends nothing: others may count the write as landed or lost, and write anew. */
function assertNotStopped({ timing }: AppContext, { lease }: PushRun, sinceIntentMs: number): void {
  if (sinceIntentMs <= timing.sendWithinMs) return;
  throw new LockstepError(
    "TARGET_UNAVAILABLE",
    `Did not write to target "${lease.target.name}": this process stood still for too long after it had decided to.`,
  );
}

async function write(
  context: AppContext,
  run: PushRun,
  target: Target,
  { items, keepCopies }: { readonly items: readonly PlannedItem[]; readonly keepCopies: boolean },
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
    keepCopies,
  };
  if (inFlightMs === 0) {
    await target.apply(change, run.order, signal);
    return;
  }
  // Nothing is sent once others may count the write as landed or lost.
  await withDeadline(signal, inFlightMs, (limited) => target.apply(change, run.order, limited));
}

/**
 * Whether what is replaced now could be put back, if its unit does not run with the change: see restore-target.ts for
 * when that happens. Never what was pruned, and never a version that somebody else knows.
 */
async function mayBeRestored(
  context: AppContext,
  { lease, desired }: PushRun,
  { restorer, activator }: Target,
  items: readonly PlannedItem[],
): Promise<boolean> {
  if (restorer?.keeps !== true || activator === null || desired.pruned.length > 0) return false;
  const { read } = context.store;
  if (!(await read.targets.standsAlone(lease.target.id))) return false;
  const secrets = new Set(
    items.flatMap(({ found, secretId }) => (found.kind === "version" ? [secretId] : [])),
  );
  for (const secretId of secrets) {
    const versions = await read.secrets.versions(secretId);
    const known = new Set(
      versions.flatMap(({ version, compromisedAt }) => (compromisedAt === null ? [] : [version])),
    );
    const held = items.some(
      ({ found, secretId: of }) => of === secretId && found.kind === "version" && known.has(found.version),
    );
    if (held) return false;
  }
  return true;
}

/** Looks until the write shows, at most the configured number of times: a read directly after a write may be old. */
async function readBack(
  context: AppContext,
  run: PushRun,
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
