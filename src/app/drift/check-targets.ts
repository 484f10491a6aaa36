/** Looks at places and says what stands there, without writing: `lockstep check`. One failing place never hides others. */

import { setMaxListeners } from "node:events";
import { copyInterest } from "../../core/copies/recognise.ts";
import { type BindingState, bindingState } from "../../core/drift/state.ts";
import { toLockstepError } from "../../core/errors.ts";
import type { Order } from "../../core/order.ts";
import type { CopiesSeen } from "../../core/ports/copies.ts";
import type { ObservedKey } from "../../core/ports/place.ts";
import type { Target } from "../../core/ports/target.ts";
import type { SharedReads } from "../../core/ports/target-context.ts";
import { type PlannedItem, planChange } from "../../core/reconcile/plan-change.ts";
import type { BindingLook, LoopBinding, TargetRecord } from "../../core/store/targets.ts";
import { groupBy } from "../../lib/group-by.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../base/context.ts";
import { inTime } from "../base/in-time.ts";
import { type Desired, loadDesired } from "../desired/desired.ts";
import { askAuthorities, type Newer } from "../observe/ask-authorities.ts";
import { judgeOrders } from "../orders/judge-orders.ts";
import { observationsOf } from "../push/record-push.ts";
import { lookNow } from "../targets/look-now.ts";
import { checkGroupOf, kindOf, withTarget } from "../targets/open-target.ts";
import { observeReported } from "../targets/reported-places.ts";
import { createSharedReads } from "../targets/shared-reads.ts";
import { takeOver } from "../versions/accept-from-authority.ts";
import { lookAtProcesses } from "./look-at-processes.ts";
import { nameElsewhere } from "./name-elsewhere.ts";

export interface CheckedBinding {
  readonly bindingId: string;
  /** What should stand there was seen there once. */
  readonly isSettled: boolean;
  readonly target: string;
  readonly secret: string;
  readonly placement: string;
  readonly key: string;
  readonly state: BindingState;
  /** In words; null when in sync. */
  readonly reason: string | null;
}

export interface CheckedTarget {
  readonly target: string;
  /** Null when the place could be looked at. */
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint: string;
    readonly retryAfterMs: number | null;
  } | null;
  readonly bindings: readonly CheckedBinding[];
}

export interface CheckLimits {
  readonly maxAtOnce: number;
  /** Of one place; null: its own deadlines alone. */
  readonly timeoutMs: number | null;
  /** Somebody waits: agents, which look every minute by themselves, are asked to look now, and services are asked again. */
  readonly asksAgents: boolean;
}

const UNHURRIED: CheckLimits = { maxAtOnce: 8, timeoutMs: null, asksAgents: true };

/** They begin together: what several of them would read of one place, they read once. */
export async function checkTargets(
  context: AppContext,
  targets: readonly TargetRecord[],
  signal: AbortSignal,
  limits: CheckLimits = UNHURRIED,
): Promise<readonly CheckedTarget[]> {
  // One listener for each look that is under way, and several of each.
  setMaxListeners(0, signal);
  const batch = { beganAtMs: performance.now(), sharedReads: createSharedReads(signal) };
  const groups = groupBy(targets, (target) => checkGroupOf(context, target));
  const isShared = (target: TargetRecord) => (groups.get(checkGroupOf(context, target))?.length ?? 0) > 1;
  return await mapLimited(targets, limits.maxAtOnce, (target) =>
    checkTarget(context, target, signal, {
      ...limits,
      ...batch,
      sharedReads: isShared(target) ? batch.sharedReads : undefined,
    }),
  );
}

interface Batch extends CheckLimits {
  readonly beganAtMs: number;
  readonly sharedReads: SharedReads | undefined;
}

async function checkTarget(
  context: AppContext,
  record: TargetRecord,
  signal: AbortSignal,
  { timeoutMs, asksAgents, beganAtMs, sharedReads }: Batch,
): Promise<CheckedTarget> {
  try {
    const desired = await loadDesired(context, record.id);
    const planned = ({ keys }: { readonly keys: readonly ObservedKey[] }) =>
      planChange(desired.slots, [], keys, context.sameValue);
    const lookAt = async (target: Target, limited: AbortSignal): Promise<Seen> => {
      const observation = await target.observe(desired.slots, limited);
      const { keys, orders } = observation;
      const items = await nameElsewhere(context, planned({ keys }), keys);
      const newer = await askAuthorities(context, target, { desired, items, keys }, limited);
      const copies = await lookForCopies(context, target, desired, limited);
      const processes = await besides(context, limited, () =>
        lookAtProcesses(
          context,
          record.id,
          target,
          { ...observation, mayAsk: maybeRight(items), isWaitedFor: asksAgents },
          limited,
        ),
      );
      return { items, orders, newer, copies, processes: processes ?? [] };
    };
    const look = async (limited: AbortSignal): Promise<Seen> => {
      if (kindOf(context, record.kind).isReported) {
        if (asksAgents) await lookNow(context, record, limited);
        const seen = await observeReported(context, record, desired.slots);
        // Its agent finds copies by itself, and has told them.
        return { items: planned(seen), orders: [], newer: [], copies: null, processes: [] };
      }
      return await withTarget(
        context,
        record,
        (target) => lookAt(target, limited),
        "background",
        sharedReads,
      );
    };
    const { items, orders, newer, copies, processes } = await (timeoutMs === null
      ? look(signal)
      : inTime(record.name, signal, timeoutMs, look));
    await context.store.transaction(async (tx) => {
      await tx.pushes.observe(observationsOf(items, null), performance.now() - beganAtMs);
      if (copies !== null) await tx.checks.recordCopies(record.id, copies);
      for (const seen of processes) await tx.targets.recordLook(seen);
    });
    // What was seen is on record; what it proves may stop everything else.
    const fault = await faultOf(context, record, orders);
    if (fault === null && (await context.store.read.meta.setBack()) === null)
      for (const { binding, found } of newer) await takeOver(context, { target: record, binding, found });
    const names = new Map(desired.bindings.map((binding) => [binding.id, binding]));
    const bindings = items.map((item) => checked(record, item, names.get(item.bindingId)));
    return { target: record.name, error: fault, bindings };
  } catch (error) {
    return { target: record.name, error: shownError(error), bindings: [] };
  }
}

function shownError(error: unknown): CheckedTarget["error"] {
  const { code, message, hint, retryAfterMs } = toLockstepError(error);
  return { code, message, hint, retryAfterMs: retryAfterMs ?? null };
}

/** A mark there that this store never gave; null: none. */
async function faultOf(
  context: AppContext,
  record: TargetRecord,
  orders: readonly Order[],
): Promise<CheckedTarget["error"]> {
  try {
    await judgeOrders(context, record, orders, "mark");
    return null;
  } catch (error) {
    return shownError(error);
  }
}

interface Seen {
  readonly items: readonly PlannedItem[];
  /** Marks; an agent tells its own by itself. */
  readonly orders: readonly Order[];
  readonly newer: readonly Newer[];
  /** Null: nobody looked for them. */
  readonly copies: CopiesSeen | null;
  readonly processes: readonly BindingLook[];
}

async function lookForCopies(
  context: AppContext,
  { copyFinder }: Target,
  { slots }: Desired,
  signal: AbortSignal,
): Promise<CopiesSeen | null> {
  if (copyFinder === undefined || slots.length === 0) return null;
  return await besides(context, signal, () =>
    copyFinder.find(copyInterest(slots, context.sameValue), signal),
  );
}

function maybeRight(items: readonly PlannedItem[]): ReadonlySet<string> {
  const isRight = ({ slot, version, found }: PlannedItem) =>
    slot === "primary" &&
    (found.kind === "unreadable" || (found.kind === "version" && found.version === version));
  return new Set(items.filter(isRight).map(({ bindingId }) => bindingId));
}

/** What is looked at besides says nothing about the place itself: not to have seen it keeps no look from counting. */
async function besides<T>(
  context: AppContext,
  signal: AbortSignal,
  look: () => Promise<T>,
): Promise<T | null> {
  try {
    return await look();
  } catch (error) {
    if (signal.aborted) throw error;
    context.log.warn("a part was not looked at", { code: toLockstepError(error).code });
    return null;
  }
}

function checked(
  record: TargetRecord,
  item: PlannedItem,
  binding: Pick<LoopBinding, "secretName" | "settled" | "settledInEpoch"> | undefined,
): CheckedBinding {
  const found = item.found.kind === "reference" ? "unknown" : item.found.kind;
  const foundVersion = item.found.kind === "version" ? item.found.version : null;
  const state = bindingState({
    wantedVersion: item.version,
    settledVersion: binding?.settled[item.slot] ?? null,
    found,
    foundVersion,
  });
  return {
    bindingId: item.bindingId,
    isSettled: (binding?.settled[item.slot] ?? null) === item.version && binding?.settledInEpoch === true,
    target: record.name,
    secret: binding?.secretName ?? "",
    placement: item.placement,
    key: item.key,
    state,
    reason: state === "in-sync" ? null : inWords(item),
  };
}

function inWords(item: PlannedItem): string {
  switch (item.found.kind) {
    case "version":
      return `holds v${item.found.version}, should hold v${item.version}`;
    case "unknown":
      return item.found.nearly === undefined
        ? "holds a value that was never ours"
        : `holds another value: ${item.found.nearly}`;
    case "absent":
      return "holds nothing";
    default:
      return item.found.reason;
  }
}
