/**
 * Follows the activations under way in one group (one Railway environment, one host) with as few requests as the
 * place allows, and decides by what it sees. Nobody waits: the next look is a time in the row.
 */
import { SYSTEM } from "../../core/actor.ts";
import { type ErrorCode, toLockstepError } from "../../core/errors.ts";
import type { ActivationProgress } from "../../core/ports/activator.ts";
import type { SetItem } from "../../core/ports/place.ts";
import type { ActivationRecord } from "../../core/store/activations.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import { assertNever } from "../../lib/assert-never.ts";
import { groupBy } from "../../lib/group-by.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../base/context.ts";
import { heldClaim, withLeaseRenewal } from "../base/lease-renewal.ts";
import { transact } from "../base/transaction.ts";
import { loadDesired } from "../desired/desired.ts";
import { discardCopiesAt } from "../push/discard-copies.ts";
import { accessOf, kindOf, withTarget } from "../targets/open-target.ts";
import { endActivation } from "./end-activation.ts";
import { failedActivation } from "./failed-activation.ts";
import { joinNext } from "./isolate-failure.ts";

/** Steps of one group at a time, where each needs the store. */
const MAX_AT_ONCE = 5;
/** Requests for one change of a unit that were lost or overtaken, before a person is asked. */
const MAX_REQUESTS = 5;

export async function followActivations(
  context: AppContext,
  followGroup: string,
  signal: AbortSignal,
): Promise<void> {
  const claimed = await context.store.transaction((tx) =>
    tx.activations.claimGroup(followGroup, context.processId, context.timing.leaseMs),
  );
  // A thousand at once would queue at the store's few connections until they are given up.
  const asked = await mapLimited(claimed, MAX_AT_ONCE, async (activation) => {
    const target = await context.store.read.targets.findById(activation.targetId);
    if (target === null) {
      await end(context, activation, "superseded");
      return null;
    }
    return { activation, target, access: await followedBy(context, target) };
  });
  const found = asked.filter((one) => one !== null);
  for (const [, group] of groupBy(found, (one) => one.access)) {
    const activations = group.map(({ activation }) => activation);
    const target = group[0]?.target;
    if (target === undefined) continue;
    try {
      await withLeaseRenewal(context, heldClaim(context, activations), signal, (held) =>
        followAtTarget(context, target, activations, held),
      );
    } catch (error) {
      const failure = toLockstepError(error);
      // Whoever was overtaken lets go of what is still his.
      const level = failure.code === "LEASE_LOST" ? "info" : "warn";
      context.log[level]("follow failed", {
        group: followGroup,
        code: failure.code,
        reason: failure.message,
      });
      for (const activation of activations)
        await lookLater(context, activation, failure.retryAfterMs).catch(unlessLost);
    }
  }
}

function unlessLost(error: unknown): void {
  if (toLockstepError(error).code !== "LEASE_LOST") throw error;
}

/** Targets of one group may use different credentials; each credential asks once. */
async function followedBy(context: AppContext, target: TargetRecord): Promise<string> {
  if (kindOf(context, target.kind).followsGroup !== true) return target.id;
  // What does not open is that target's own failure.
  return accessOf(context, target).catch(() => target.id);
}

async function followAtTarget(
  context: AppContext,
  target: TargetRecord,
  activations: readonly ActivationRecord[],
  signal: AbortSignal,
): Promise<void> {
  const asked = await mapLimited(activations, MAX_AT_ONCE, async (activation) => ({
    unit: activation.unit,
    id: activation.externalId,
    knownIds: activation.knownIds,
    requestedAgoMs: activation.requestedAgoMs,
    expected: await expectedOf(context, activation),
  }));
  const progress = await withTarget(context, target, async ({ activator }) =>
    activator === null ? [] : await activator.follow(asked, signal),
  );
  const judged = activations.map((activation, index) => ({ activation, seen: progress[index] }));
  await mapLimited(judged, MAX_AT_ONCE, async ({ activation, seen }) => {
    if (seen === undefined) await end(context, activation, "dormant");
    else await judge(context, activation, seen, signal);
  });
  // Where a unit runs well with its change, what that replaced is not needed any more, and is a value at rest.
  await discardCopiesAt(context, target.id, signal);
}

/** What the unit should have been started with: everything that is settled at its targets. */
async function expectedOf(context: AppContext, activation: ActivationRecord): Promise<readonly SetItem[]> {
  const targets = await context.store.read.activations.targetsOfUnit(activation.unitId);
  const expected = await Promise.all(
    targets.map(async (targetId) => {
      const target = await context.store.read.targets.findById(targetId);
      if (target === null) return [];
      const { slots } = await loadDesired(context, targetId);
      // A unit may be one of several targets, and know the other ones' keys by names of its own.
      return slots
        .filter((slot) => slot.settledVersion === slot.version)
        .map(
          (slot): SetItem => ({
            ...slot,
            locationKey: kindOf(context, target.kind).locationKey(target.config, slot.placement, target),
          }),
        );
    }),
  );
  return expected.flat();
}

async function judge(
  context: AppContext,
  activation: ActivationRecord,
  seen: ActivationProgress,
  signal: AbortSignal,
): Promise<void> {
  switch (seen.state) {
    case "running":
      if (activation.pastDeadline)
        return fail(context, activation, signal, `it did not finish in time: ${seen.reason}`);
      if (seen.id !== null && activation.externalId === null) await adopt(context, activation, seen.id);
      return lookLater(context, activation);
    case "not-started":
      if (activation.requestedAgoMs < context.timing.notStartedAfterMs) return lookLater(context, activation);
      return again(context, activation, signal, "nothing was started");
    case "outdated":
      return again(context, activation, signal, seen.reason);
    case "succeeded":
      return succeed(context, activation, seen);
    case "failed":
      return fail(context, activation, signal, seen.reason);
    case "blocked":
      await end(context, activation, "blocked", { code: "ACTIVATION_FAILED", message: seen.reason });
      context.telemetry.activationEnded(activation.unit.kind, "blocked", activation.requestedAgoMs / 1_000);
      return;
    case "dormant":
      return end(context, activation, "dormant");
    default:
      return assertNever(seen);
  }
}

async function succeed(
  context: AppContext,
  activation: ActivationRecord,
  seen: Extract<ActivationProgress, { state: "succeeded" }>,
): Promise<void> {
  await transact(context, async (tx, next) => {
    await endActivation(tx, next, activation, {
      state: "succeeded",
      error: null,
      incarnation: seen.incarnation,
    });
    if (seen.evidence !== "stored") {
      await tx.targets.raiseAfterActivation(activation.id);
      await tx.pushes.raiseEvidence(activation.pushIds, "deployed");
    }
    await tx.audit.append({
      action: "activation.finished",
      actor: SYSTEM,
      subject: { kind: "unit", id: activation.unitId, name: activation.unit.name },
      details: { activation: activation.id, outcome: "succeeded", incarnation: seen.id },
    });
    next.reconcile(await joinNext(tx, activation));
  });
  context.telemetry.activationEnded(activation.unit.kind, "succeeded", activation.requestedAgoMs / 1_000);
}

function end(
  context: AppContext,
  activation: ActivationRecord,
  state: "blocked" | "dormant" | "superseded",
  error: { readonly code: ErrorCode; readonly message: string } | null = null,
): Promise<void> {
  return transact(context, (tx, next) => endActivation(tx, next, activation, { state, error }));
}

function fail(
  context: AppContext,
  activation: ActivationRecord,
  signal: AbortSignal,
  reason: string,
): Promise<void> {
  return failedActivation(
    context,
    activation,
    "ACTIVATION_FAILED",
    `${activation.unit.name}: ${reason}`,
    signal,
  );
}

/** Asked for again, later and not for ever: something that always wins over our value is for a person to see. */
async function again(
  context: AppContext,
  activation: ActivationRecord,
  signal: AbortSignal,
  reason: string,
): Promise<void> {
  if (activation.attempts + 1 >= MAX_REQUESTS) return fail(context, activation, signal, reason);
  await context.store.transaction((tx) =>
    tx.activations.retry(activation, {
      inMs: context.timing.retryFailedActivationMs * activation.attempts,
      spendsAttempt: true,
      error: { code: "ACTIVATION_FAILED", message: reason },
    }),
  );
}

async function adopt(context: AppContext, activation: ActivationRecord, externalId: string): Promise<void> {
  await context.store.transaction((tx) => tx.activations.recordExternalId(activation, externalId));
}

/** Starts close and lengthens: a quarter of the time that it already takes, within the bounds. */
async function lookLater(context: AppContext, activation: ActivationRecord, atLeastMs = 0): Promise<void> {
  const { minPollMs, maxPollMs } = context.timing;
  const lengthening = Math.min(maxPollMs, Math.max(minPollMs, activation.requestedAgoMs / 4));
  const inMs = Math.round(Math.max(atLeastMs, lengthening));
  await context.store.transaction((tx) => tx.activations.pollAgain(activation, inMs));
}
