/** A look for drift by schedule: what was found is on record, and healed where the configuration says so. */
import { SYSTEM } from "../../core/actor.ts";
import { isDrift } from "../../core/drift/state.ts";
import { CATALOGUE, type ErrorCode, toLockstepError } from "../../core/errors.ts";
import type { TargetKind } from "../../core/ports/target.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../context.ts";
import { healPlaces } from "../doctor/heal-places.ts";
import { kindOf } from "../open-target.ts";
import { type CheckedTarget, checkTargets } from "./check-targets.ts";

const DEFAULT_CHECK_EVERY_MS = 300_000;
/** A quarter of what the smallest paid plan allows; pushes and the looks of rollouts have the rest. */
const REQUESTS_PER_HOUR = 250;
const MAX_DUE = 100;
const MAX_AT_ONCE = 8;
const LOOK_WITHIN_MS = 30_000;
const AWAY_MS = 300_000;
/** Drift that comes back has a writer of its own: it is told, not fought. */
const HEALS_PER_HOUR = 2;
const HOUR_MS = 3_600_000;
const HEALER = { ...SYSTEM, id: "healing", name: "healing" };

/** `count`: of targets of that kind, which may share one quota. */
export function checkEveryMs(
  {
    checkEveryMs: own = DEFAULT_CHECK_EVERY_MS,
    requestsPerCheck = 0,
  }: Pick<TargetKind, "checkEveryMs" | "requestsPerCheck">,
  count: number,
): number {
  return Math.max(own, (count * requestsPerCheck * HOUR_MS) / REQUESTS_PER_HOUR);
}

/** One failing place does not keep the others from being looked at. */
export async function checkDue(context: AppContext, signal: AbortSignal): Promise<void> {
  const due = await context.store.read.checks.due(MAX_DUE);
  await mapLimited(due, MAX_AT_ONCE, async (targetId) => {
    if (signal.aborted) return;
    await checkScheduled(context, targetId, signal).catch((error: unknown) =>
      context.log.warn("check failed", { target: targetId, code: toLockstepError(error).code }),
    );
  });
}

/** Does nothing where it is not time, or another worker was faster. */
export async function checkScheduled(
  context: AppContext,
  targetId: string,
  signal: AbortSignal,
): Promise<void> {
  const { read } = context.store;
  const target = await read.targets.findById(targetId);
  if (target === null) return;
  const kind = kindOf(context, target.kind);
  const everyMs = checkEveryMs(kind, await read.checks.countOf(target.kind));
  const claim = await context.store.transaction((tx) => tx.checks.claim(targetId, everyMs));
  if (claim === null) return;
  const limits = { maxAtOnce: 1, timeoutMs: LOOK_WITHIN_MS, asksAgents: false };
  const [checked] = await checkTargets(context, [target], signal, limits);
  if (checked === undefined || signal.aborted) return;
  const { error } = checked;
  if (error !== null) context.log.warn("check failed", { target: target.name, code: error.code });
  // Places that are away keep a worker waiting; they must not keep the others' pushes waiting.
  const awayMs = error !== null && claim.failedBefore ? AWAY_MS : 0;
  const laterMs = Math.max(error?.retryAfterMs ?? 0, awayMs);
  // A quota that is used up says nothing about the place; it is looked at later.
  const isKnown = error === null || !isLimited(error.code);
  await context.store.transaction((tx) =>
    isKnown ? tx.checks.record(targetId, { error, laterMs }) : tx.checks.postpone(targetId, laterMs),
  );
  if (await isToBeHealed(context, targetId, checked))
    await healPlaces(context, HEALER, { environment: target.environment, target: target.name });
}

function isLimited(code: string): boolean {
  return code in CATALOGUE && CATALOGUE[code as ErrorCode].family === "rate-limited";
}

/** A target is written as a whole: where only some of what differs is to be healed, a person decides. */
async function isToBeHealed(
  { store }: AppContext,
  targetId: string,
  { bindings }: CheckedTarget,
): Promise<boolean> {
  const drifted = bindings.filter(({ state, isSettled }) => isDrift(state) && isSettled);
  if (drifted.length === 0) return false;
  const healing = await store.read.checks.healing(targetId);
  if (!drifted.every(({ bindingId }) => healing.has(bindingId))) return false;
  return (await store.read.checks.healsWithin(targetId, HEALER.id, HOUR_MS)) < HEALS_PER_HOUR;
}
