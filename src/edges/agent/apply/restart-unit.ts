/**
 * Brings the unit to run with what was written: one restart per change, as far as that can be known.
 *
 *   owed ──quiet time──▶ asking ──▶ requested ──▶ succeeded
 *    ▲                     │           ├─ nothing started, or lost ──▶ owed
 *    │                     └─ no ──────┴─ failed ──▶ retry ──▶ owed, once; then blocked
 *    └── anything new that was written, in any state
 *
 * `asking` is on disk, with the ids of what ran before, until the answer is: after a crash there, whatever is newer is
 * ours and nothing is asked for twice. What failed twice waits for a person. The file that stood before is not put back
 * here: whether older values may be sent again is known at the server alone.
 */
import { createHostActivator } from "../../../adapters/placements/activation/activator.ts";
import { LockstepError, toLockstepError } from "../../../core/errors.ts";
import type { ActivationProgress, Activator } from "../../../core/ports/activator.ts";
import type { UnitSpec } from "../../../core/ports/place.ts";
import type { Bundle } from "../../../protocol/agent/messages.ts";
import type { UnitRecord } from "../cache/record.ts";
import type { AgentContext } from "../context.ts";
import type { Allowed } from "./allowed.ts";
import { pastRecord, unitKey } from "./unit-record.ts";

const MAX_AUTOMATIC_ATTEMPTS = 2;
const DEADLINE_MS = 15 * 60_000;

/** One step. Answers in how many ms the next is due; null: nothing is under way. */
export async function restartUnit(
  context: AgentContext,
  bundle: Bundle,
  allowed: Allowed,
  signal: AbortSignal,
): Promise<number | null> {
  const owed = context.records.now.unit;
  const activator =
    context.child?.activator ??
    createHostActivator(context.host, allowed.activation, allowed.health, allowed.files);
  if (owed === null || activator === null || owed.key !== unitKey(context, bundle, allowed)) return null;
  const unit = await pastRecord(context, owed);
  switch (unit.state) {
    case "owed": {
      const waitMs = dueInMs(context, unit, bundle);
      if (waitMs > 0) return waitMs;
      return ask(context, unit, activator, signal);
    }
    case "retry": {
      const waitMs = Date.parse(unit.changedAt) + context.timing.retryFailedActivationMs - context.nowMs();
      if (waitMs > 0) return waitMs;
      return ask(context, unit, activator, signal);
    }
    case "asking":
    case "requested":
      return follow(context, unit, activator, signal);
    case "succeeded":
    case "blocked":
    case "dormant":
      return null;
  }
}

/** Waits until nothing more comes, and not for ever. A child that does not run yet has nobody to wait for. */
function dueInMs(context: AgentContext, unit: UnitRecord, { quietMs, maxQuietMs }: Bundle): number {
  if (context.child !== null && !context.child.hasStarted) return 0;
  const quietAt = Math.min(Date.parse(unit.changedAt) + quietMs, Date.parse(unit.owedAt) + maxQuietMs);
  return quietAt - context.nowMs();
}

async function ask(
  context: AgentContext,
  unit: UnitRecord,
  activator: Activator,
  signal: AbortSignal,
): Promise<number | null> {
  const asking = { ...unit, state: "asking", askedAt: nowText(context), id: null, error: null } as const;
  try {
    const { knownIds, dormant } = await activator.prepare(specOf(unit), signal);
    if (dormant)
      return await end(
        context,
        { ...unit, state: "dormant" },
        "is stopped, and has the change at its next start",
      );
    await context.records.update({ unit: { ...asking, knownIds: [...knownIds] } });
    await context.checkpoint("activation-intent");
    const { id } = await activator.activate(specOf(unit), signal);
    await context.checkpoint("activated");
    await context.records.update({ unit: { ...asking, knownIds: [...knownIds], state: "requested", id } });
    return 0;
  } catch (error) {
    const failure = toLockstepError(error);
    // Nobody knows whether it was heard: following finds out by the ids.
    if (failure.verdict === "read-back" && context.records.now.unit?.state === "asking")
      return context.timing.followMs;
    return fail(context, context.records.now.unit ?? unit, failure);
  }
}

async function follow(
  context: AgentContext,
  unit: UnitRecord,
  activator: Activator,
  signal: AbortSignal,
): Promise<number | null> {
  const requestedAgoMs = Math.max(0, context.nowMs() - Date.parse(unit.askedAt ?? unit.owedAt));
  const asked = { unit: specOf(unit), id: unit.id, knownIds: unit.knownIds, requestedAgoMs, expected: [] };
  let progress: ActivationProgress | undefined;
  try {
    [progress] = await activator.follow([asked], signal);
  } catch (error) {
    const failure = toLockstepError(error);
    if (failure.verdict === "never") return fail(context, unit, failure);
    return context.timing.followMs;
  }
  if (progress === undefined) return end(context, { ...unit, state: "dormant" }, "has nothing to restart");
  switch (progress.state) {
    case "running":
      if (requestedAgoMs > DEADLINE_MS)
        return fail(context, unit, failed(unit, `it did not finish: ${progress.reason}`));
      return context.timing.followMs;
    case "not-started":
      if (requestedAgoMs < context.timing.notStartedAfterMs) return context.timing.followMs;
      return again(context, unit);
    case "outdated":
      return again(context, unit);
    case "succeeded":
      return end(
        context,
        {
          ...unit,
          state: "succeeded",
          id: progress.id,
          incarnation: plain(progress.incarnation),
          error: null,
        },
        "runs with the change",
      );
    case "failed":
      return fail(context, unit, failed(unit, progress.reason));
    case "blocked":
      return end(
        context,
        { ...unit, state: "blocked", error: told(failed(unit, progress.reason)) },
        "waits for a person",
      );
    case "dormant":
      return end(context, { ...unit, state: "dormant" }, "is stopped");
  }
}

/** Nothing was started, or something else won: asked for once more, as one of the automatic attempts. */
async function again(context: AgentContext, unit: UnitRecord): Promise<number | null> {
  if (unit.attempts + 1 > MAX_AUTOMATIC_ATTEMPTS)
    return fail(context, unit, failed(unit, "nothing was started"));
  await context.records.update({ unit: { ...unit, state: "owed", attempts: unit.attempts + 1, id: null } });
  return 0;
}

async function fail(context: AgentContext, unit: UnitRecord, error: LockstepError): Promise<number | null> {
  context.log.failed(`${unit.key} did not restart`, error);
  const attempts = unit.attempts + 1;
  const next = { ...unit, attempts, error: told(error), changedAt: nowText(context) };
  if (attempts >= MAX_AUTOMATIC_ATTEMPTS) {
    return end(context, { ...next, state: "blocked" }, "is not tried again by itself");
  }
  await context.records.update({ unit: { ...next, state: "retry" } });
  return context.timing.retryFailedActivationMs;
}

async function end(context: AgentContext, unit: UnitRecord, words: string): Promise<null> {
  await context.records.update({ unit });
  context.log.say(`${unit.key} ${words}`);
  return null;
}

function specOf({ key }: UnitRecord): UnitSpec {
  return { key, name: key, kind: "agent", config: {}, followGroup: "agent" };
}

function failed(unit: UnitRecord, reason: string): LockstepError {
  return new LockstepError("ACTIVATION_FAILED", `${unit.key}: ${reason}.`);
}

function told(error: LockstepError): NonNullable<UnitRecord["error"]> {
  return { code: error.code, message: error.message.slice(0, 1_000) };
}

/** Names, numbers and ids: what else a place may say of a life does not travel. */
function plain(incarnation: Readonly<Record<string, unknown>>): UnitRecord["incarnation"] {
  const entries: (readonly [string, string | number])[] = [];
  for (const [name, value] of Object.entries(incarnation)) {
    if (typeof value === "number") entries.push([name, value]);
    else if (typeof value === "string") entries.push([name, value.slice(0, 200)]);
  }
  return Object.fromEntries(entries);
}

function nowText(context: AgentContext): string {
  return new Date(context.nowMs()).toISOString();
}
