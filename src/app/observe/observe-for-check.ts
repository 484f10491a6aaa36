/**
 * Observes one target for a check: its keys, copies beside them, processes, and whether an authority has changed a value.
 * Writes nothing there. What was seen is recorded before anything is concluded from it.
 */
import { copyInterest } from "../../core/copies/recognise.ts";
import { type LockstepError, toLockstepError } from "../../core/errors.ts";
import type { Order } from "../../core/order.ts";
import type { CopiesSeen } from "../../core/ports/copies.ts";
import type { ObservedKey } from "../../core/ports/place.ts";
import type { Target } from "../../core/ports/target.ts";
import type { SharedReads } from "../../core/ports/target-context.ts";
import { type PlannedItem, planChange } from "../../core/reconcile/plan-change.ts";
import type { BindingObservation, LoopBinding, TargetRecord } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import { inTime } from "../base/in-time.ts";
import { type Desired, loadDesired } from "../desired/desired.ts";
import { judgeOrders } from "../orders/judge-orders.ts";
import { type OpenedFor, withTarget } from "../targets/open-target.ts";
import { nameElsewhere } from "./name-elsewhere.ts";
import { observationsOf } from "./observations.ts";
import { observeProcesses } from "./observe-processes.ts";
import { type Newer, probeAuthorities } from "./probe-authorities.ts";

export interface CheckLimits {
  /** Of one target; null: its own deadlines alone. */
  readonly timeoutMs: number | null;
  /** Somebody waits: agents, which look every minute by themselves, are asked to look now, and services are asked again. */
  readonly asksAgents: boolean;
}

export interface CheckObservation {
  readonly bindings: readonly LoopBinding[];
  readonly items: readonly PlannedItem[];
  /** Values that were changed at their authority. */
  readonly newer: readonly Newer[];
  /** A mark there that this store never gave; null: none. */
  readonly fault: LockstepError | null;
}

interface CheckOptions extends CheckLimits {
  /** `performance.now()` when the targets of this check began together. */
  readonly beganAtMs: number;
  readonly sharedReads: SharedReads | undefined;
}

interface Seen {
  readonly items: readonly PlannedItem[];
  /** Marks; an agent reports its own by itself. */
  readonly orders: readonly Order[];
  readonly newer: readonly Newer[];
  /** Null: nobody looked for them. */
  readonly copies: CopiesSeen | null;
  readonly processes: readonly BindingObservation[];
}

/** Throws what the target throws, and TARGET_UNREACHABLE when the time is over. */
export async function observeForCheck(
  context: AppContext,
  record: TargetRecord,
  options: CheckOptions,
  signal: AbortSignal,
): Promise<CheckObservation> {
  const { timeoutMs, beganAtMs, sharedReads, asksAgents } = options;
  const desired = await loadDesired(context, record.id);
  const openedFor: OpenedFor = {
    purpose: "background",
    isAwaited: asksAgents,
    ...(sharedReads === undefined ? {} : { sharedReads }),
  };
  const observe = (limited: AbortSignal) =>
    withTarget(
      context,
      record,
      (target) => observeAll(context, record, target, desired, options, limited),
      openedFor,
    );
  const { items, orders, newer, copies, processes } = await context.telemetry.during(
    "look",
    record.kind,
    () => (timeoutMs === null ? observe(signal) : inTime(record.name, signal, timeoutMs, observe)),
  );
  await context.store.transaction(async (tx) => {
    await tx.pushes.observe(observationsOf(items, null), performance.now() - beganAtMs);
    if (copies !== null) await tx.checks.recordCopies(record.id, copies);
    for (const seen of processes) await tx.targets.recordObservation(seen);
  });
  return { bindings: desired.bindings, items, newer, fault: await faultOf(context, record, orders) };
}

async function observeAll(
  context: AppContext,
  record: TargetRecord,
  target: Target,
  desired: Desired,
  { asksAgents }: CheckOptions,
  signal: AbortSignal,
): Promise<Seen> {
  const observation = await target.observe(desired.slots, signal);
  const { keys, orders } = observation;
  const items = await nameElsewhere(context, planned(context, desired, keys), keys);
  const newer = await probeAuthorities(context, target, { desired, items, keys }, signal);
  const copies = await findCopies(context, target, desired, signal);
  const processes = observation.isReported
    ? []
    : await orSkip(context, signal, () =>
        observeProcesses(
          context,
          record.id,
          target,
          { ...observation, mayAsk: maybeRight(items), isWaitedFor: asksAgents },
          signal,
        ),
      );
  return { items, orders, newer, copies, processes: processes ?? [] };
}

function planned(
  context: AppContext,
  { slots }: Desired,
  keys: readonly ObservedKey[],
): readonly PlannedItem[] {
  return planChange(slots, [], keys, context.sameValue);
}

async function faultOf(
  context: AppContext,
  record: TargetRecord,
  orders: readonly Order[],
): Promise<LockstepError | null> {
  try {
    await judgeOrders(context, record, orders, "mark");
    return null;
  } catch (error) {
    return toLockstepError(error);
  }
}

async function findCopies(
  context: AppContext,
  { copyFinder }: Target,
  { slots }: Desired,
  signal: AbortSignal,
): Promise<CopiesSeen | null> {
  if (copyFinder === undefined || slots.length === 0) return null;
  return await orSkip(context, signal, () => copyFinder.find(copyInterest(slots, context.sameValue), signal));
}

function maybeRight(items: readonly PlannedItem[]): ReadonlySet<string> {
  const isRight = ({ slot, version, found }: PlannedItem) =>
    slot === "primary" &&
    (found.kind === "unreadable" || (found.kind === "version" && found.version === version));
  return new Set(items.filter(isRight).map(({ bindingId }) => bindingId));
}

/** Null where it failed: copies and processes say nothing about the keys, so the observation counts without them. */
async function orSkip<T>(
  context: AppContext,
  signal: AbortSignal,
  observe: () => Promise<T>,
): Promise<T | null> {
  try {
    return await observe();
  } catch (error) {
    if (signal.aborted) throw error;
    context.log.warn("a part was not looked at", { code: toLockstepError(error).code });
    return null;
  }
}
