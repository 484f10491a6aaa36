/** Closes a push: what is settled, what evidence there is, what is still owed and when. One transaction each. */
import { SYSTEM } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { LadderEvidence } from "../../core/evidence.ts";
import { CONTENT_DIGITS, compareOrder, type Order } from "../../core/order.ts";
import type { Address } from "../../core/ports/place.ts";
import { addressText, type PlannedItem } from "../../core/reconcile/plan-change.ts";
import { nextTry } from "../../core/reconcile/retry.ts";
import type { Slot } from "../../core/secret.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { InFlight, SettledBinding } from "../../core/store/targets.ts";
import { groupBy } from "../../lib/group-by.ts";
import type { AppContext } from "../base/context.ts";
import { slotsDigest } from "../desired/digest.ts";
import { observationsOf } from "../observe/observations.ts";
import { kindOf } from "../targets/open-target.ts";
import { foundText, type PushRun, pushItems } from "./record-intent.ts";

/** What was worked at, by whoever wrote. Without order and mark: the place refuses older writes, so none lands late. */
export type Worked = Pick<PushRun, "desired" | "lease"> & Partial<Pick<PushRun, "order" | "marked">>;

export interface Settled {
  /** Null when nothing had to be written. */
  readonly pushId: string | null;
  /** What was planned before the write. */
  readonly planned: readonly PlannedItem[];
  /** What the last look showed. */
  readonly seen: readonly PlannedItem[];
  /** Why not everything was reached, where the writer says so itself: an agent. */
  readonly failure?: LockstepError | null;
  /** What the place carries, when nothing had to be written. */
  readonly orders?: readonly Order[];
}

export async function recordSettled(context: AppContext, run: Worked, result: Settled): Promise<void> {
  const { lease } = run;
  const blocked = result.seen.filter((item) => item.action === "blocked");
  const error = result.failure ?? (blocked.length === 0 ? null : foreignValues(lease.target.name, blocked));
  const wrote = result.planned.some(({ action }) => action === "set" || action === "unset");
  // While a write of something else may still land, what we see now may be gone in a moment: nothing above `acknowledged`.
  const othersLeftMs = othersMayLandMs(run);
  const capped = othersLeftMs > 0;
  const evidence: LadderEvidence = capped ? "acknowledged" : "stored";
  const outcome = error !== null ? "failed" : wrote && result.pushId !== null ? "succeeded" : "unchanged";
  const ended = await context.store.transaction(async (tx) => {
    // Of a write whose answer was lost: what stands there now is ours all the same.
    const left = (await hasLanded(tx, run, result)) ? NONE_IN_FLIGHT : lease.inFlight;
    const sentBefore = await tx.pushes.openSets(lease.target.id, lease.target.generation);
    const pushId = result.pushId ?? (await pushWithoutWrite(tx, run, result.seen));
    if (pushId !== null) {
      await tx.pushes.end(pushId, {
        outcome,
        evidence,
        error: error === null ? null : { code: error.code, message: error.message },
      });
    }
    const arrived = capped ? 0 : await closeEarlierPushes(tx, run, pushId);
    await tx.pushes.observe(observationsOf(result.seen, pushId));
    await keepUnits(context, tx, run);
    await tx.targets.settleBindings(
      lease.target.id,
      lease.target.generation,
      settledBindings(result, evidence, sentBefore),
    );
    const gone = result.planned.filter((item) => item.version === null).map(addressText);
    await tx.targets.dropOwnership(
      run.desired.pruned.flatMap(({ place, ...slot }) =>
        place !== null && gone.includes(addressText(slot)) ? [{ place, key: slot.key }] : [],
      ),
    );
    await tx.targets.settle(lease.target.id, lease.token, {
      generation: capped || error !== null ? null : lease.target.generation,
      attempts: 0,
      nextActionInMs: capped ? othersLeftMs : null,
      gaveUp: error !== null && !capped,
      error: error === null ? null : { code: error.code, message: error.message },
      inFlight: { marked: run.marked ?? lease.inFlight.until, left },
    });
    if (pushId !== null) {
      await tx.audit.append({
        action: "push.finished",
        actor: lease.target.intentActor ?? SYSTEM,
        subject: { kind: "target", id: lease.target.id, name: lease.target.name },
        details: {
          push: pushId,
          generation: lease.target.generation,
          evidence,
          blocked: blocked.map((item) => item.key),
        },
      });
    }
    return { own: pushId !== null, arrived };
  });
  if (ended.own) context.telemetry.pushEnded(lease.target.kind, outcome);
  for (let count = 0; count < ended.arrived; count += 1)
    context.telemetry.pushEnded(lease.target.kind, "succeeded");
}

const NONE_IN_FLIGHT: InFlight = { leftMs: 0, digest: null, until: null };

/**
 * How long a write of something else may still land; 0: none. A copy of what is wanted now changes nothing whenever it
 * lands. It stays in flight all the same: for what is wanted next it is older.
 */
function othersMayLandMs({ lease: { inFlight }, order }: Worked): number {
  const content = order?.digest?.slice(0, CONTENT_DIGITS);
  return content !== undefined && inFlight.digest?.startsWith(content) === true ? 0 : inFlight.leftMs;
}

/**
 * Whether all that was in flight is known to have landed: it was one write, it changed everything that it wrote, and all of
 * that is seen, under its number. A request is carried out once: who passes it on must not repeat it (RFC 9110, 9.2.2).
 */
async function hasLanded(
  tx: Repositories,
  run: Worked,
  { pushId, seen, orders = [] }: Settled,
): Promise<boolean> {
  const { lease, order } = run;
  if (pushId !== null || order === undefined || lease.inFlight.leftMs === 0) return false;
  if (order.digest === null || lease.inFlight.digest !== order.digest) return false;
  const carried =
    orders.length > 0 &&
    orders.every((mark) => compareOrder(order, mark) === "same" && mark.digest === order.digest);
  if (!carried || seen.some(({ action }) => action !== "unchanged" && action !== "left")) return false;
  return await tx.pushes.changedAllAtOnce(lease.target.id, order);
}

/** Level: also what an earlier release left owed by a unit that is configured no more ends here. */
async function keepUnits(
  context: AppContext,
  tx: Repositories,
  { lease: { target } }: Worked,
): Promise<void> {
  const units = kindOf(context, target.kind).units?.(target.config, target.id);
  if (units === undefined) return;
  const { quietMs, maxQuietMs } = context.timing;
  await tx.activations.keepUnits({ targetId: target.id, units, quietMs, maxQuietMs });
}

/**
 * The write failed, or nobody knows. Nothing is settled; what stands there is looked at before the next write.
 * `isAnswered`: it was done, and only looking failed. Its units owe their restart all the same.
 */
export async function recordFailedPush(
  context: AppContext,
  run: Worked,
  pushId: string,
  error: LockstepError,
  isAnswered = false,
): Promise<void> {
  const { lease } = run;
  const unknown =
    isAnswered ||
    error.verdict === "read-back" ||
    error.code === "READ_BACK_MISMATCH" ||
    error.code === "INTERNAL";
  const next = nextTry(error, lease.target.attempts, context.random());
  context.log.warn("push failed", { target: lease.target.name, code: error.code, reason: error.message });
  await context.store.transaction(async (tx) => {
    await tx.pushes.end(pushId, {
      outcome: unknown ? "unknown" : "failed",
      evidence: null,
      error: { code: error.code, message: error.message },
    });
    if (!unknown) await tx.activations.withdraw(pushId);
    await tx.targets.settle(lease.target.id, lease.token, {
      generation: null,
      attempts: lease.target.attempts + (next.kind === "in" && !next.spendsAttempt ? 0 : 1),
      nextActionInMs: next.kind === "in" ? next.delayMs : null,
      gaveUp: next.kind === "gave-up",
      error: { code: error.code, message: error.message },
      inFlight: unknown ? "as-is" : { marked: run.marked ?? lease.inFlight.until, left: lease.inFlight },
    });
    await tx.audit.append({
      action: next.kind === "gave-up" ? "push.gave_up" : "push.finished",
      actor: lease.target.intentActor ?? SYSTEM,
      subject: { kind: "target", id: lease.target.id, name: lease.target.name },
      details: {
        push: pushId,
        generation: lease.target.generation,
        code: error.code,
        outcome: unknown ? "unknown" : "failed",
      },
    });
  });
  context.telemetry.pushEnded(lease.target.kind, unknown ? "unknown" : "failed");
}

/** Nothing to write: an open push of this generation is thereby resolved; otherwise the visit itself is recorded, once. */
async function pushWithoutWrite(
  tx: Repositories,
  run: Worked,
  seen: readonly PlannedItem[],
): Promise<string | null> {
  const { target, token } = run.lease;
  const open = await tx.pushes.open(target.id);
  const acknowledged = await tx.pushes.acknowledged(target.id, target.generation);
  if (target.generation === target.settledGeneration) return null;
  if (open.some((push) => push.generation === target.generation) || acknowledged.length > 0) return null;
  return tx.pushes.start({
    targetId: target.id,
    epoch: target.epoch,
    generation: target.generation,
    attempt: target.attempts + 1,
    leaseToken: token,
    actor: target.intentActor ?? SYSTEM,
    digest: slotsDigest(run.desired.slots),
    items: pushItems(seen),
  });
}

/**
 * By reading back it is decided now what became of pushes that were left open. Answers how many of them arrived whose end
 * nobody has said: their worker was killed.
 */
async function closeEarlierPushes(tx: Repositories, run: Worked, ownPushId: string | null): Promise<number> {
  const { target } = run.lease;
  let unsaid = 0;
  for (const push of await tx.pushes.open(target.id)) {
    if (push.id === ownPushId) continue;
    const arrived = ownPushId === null && push.generation === target.generation;
    if (arrived && push.outcome === "started") unsaid += 1;
    await tx.pushes.end(push.id, {
      outcome: arrived ? "succeeded" : "superseded",
      evidence: arrived ? "stored" : null,
      error: null,
    });
  }
  await tx.pushes.raiseEvidence(await tx.pushes.acknowledged(target.id, target.generation), "stored");
  return unsaid;
}

function settledBindings(
  result: Settled,
  evidence: LadderEvidence,
  sentBefore: readonly Address[],
): readonly SettledBinding[] {
  const set = result.planned.filter((item) => item.action === "set");
  const wrote = new Set([...set, ...sentBefore].map(addressText));
  const byBinding = groupBy(
    result.seen.filter((item) => item.version !== null),
    (item) => item.bindingId,
  );
  const unneeded = groupBy(
    result.seen.filter((item) => item.version === null && item.slot === "fallback"),
    (item) => item.bindingId,
  );
  return [...byBinding].flatMap(([bindingId, items]) => {
    const fallbacks = unneeded.get(bindingId) ?? [];
    if ([...items, ...fallbacks].some(({ action }) => action !== "unchanged" && action !== "left")) return [];
    const settled: Partial<Record<Slot, number>> = {};
    for (const item of items) if (item.version !== null) settled[item.slot] = item.version;
    const unreadable = items.some((item) => item.found.kind === "unreadable");
    return [
      {
        bindingId,
        settled,
        digest: Object.entries(settled)
          .map(([slot, version]) => `${slot}=${version}`)
          .sort()
          .join(","),
        evidence: unreadable ? "acknowledged" : evidence,
        written: items
          .filter((item) => wrote.has(addressText(item)))
          .map(({ placement, key }) => ({ placement, key })),
        fallbackGone: fallbacks.length > 0,
      },
    ];
  });
}

function foreignValues(target: string, blocked: readonly PlannedItem[]): LockstepError {
  const keys = blocked.map(
    (item) => `${item.placement === "" ? "" : `${item.placement}: `}${item.key} (${foundText(item.found)})`,
  );
  return new LockstepError(
    "FOREIGN_VALUE",
    `Cannot write ${blocked.length === 1 ? "a key" : `${blocked.length} keys`} at target "${target}": what stands there is not ours: ${keys.join(", ")}.`,
    { details: { target, keys: blocked.map((item) => item.key) } },
  );
}
