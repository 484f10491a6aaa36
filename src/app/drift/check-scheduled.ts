/** A look for drift by schedule: what was found is on record, and healed where the configuration says so. */
import { HEALER, HEALS_PER_HOUR } from "../../core/drift/healing.ts";
import { isDrift } from "../../core/drift/state.ts";
import { CATALOGUE } from "../../core/error-catalogue.ts";
import { type ErrorCode, isSourceAwayCode, toLockstepError } from "../../core/errors.ts";
import type { TargetKind } from "../../core/ports/target-kind.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { AppContext } from "../base/context.ts";
import { checkGroupOf, kindOf } from "../targets/open-target.ts";
import { testTarget } from "../targets/test-target.ts";
import { type CheckedTarget, checkTargets } from "./check-targets.ts";
import { healPlaces } from "./heal-places.ts";

const DEFAULT_CHECK_EVERY_MS = 300_000;
/** A quarter of what the smallest paid plan allows; pushes and the looks of rollouts have the rest. */
const REQUESTS_PER_HOUR = 250;
const MAX_DUE = 100;
const MAX_AT_ONCE = 8;
const LOOK_WITHIN_MS = 30_000;
const AWAY_MS = 300_000;
const SOURCE_AWAY_MS = 10_000;
/** Of the interval: less, and two workers would look twice. */
const COMES_ALONG = 0.9;
const HOUR_MS = 3_600_000;
/** A place that was just named is still being set up. */
const TESTS = { everyMs: 24 * HOUR_MS, settlesMs: HOUR_MS / 6 };

/** `count`: of groups of that kind, which may share one quota. */
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
  const groups = new Map<string, string>();
  for (const id of await context.store.read.checks.due(MAX_DUE)) {
    const target = await context.store.read.targets.findById(id);
    if (target !== null) groups.set(checkGroupOf(context, target), id);
  }
  await mapLimited([...groups.values()], MAX_AT_ONCE, async (targetId) => {
    if (signal.aborted) return;
    await checkScheduled(context, targetId, signal).catch((error: unknown) =>
      context.log.warn("check failed", { target: targetId, code: toLockstepError(error).code }),
    );
  });
}

/** With all of its group. Does nothing where it is not time, or another worker was faster. */
export async function checkScheduled(
  context: AppContext,
  targetId: string,
  signal: AbortSignal,
): Promise<void> {
  const first = await context.store.read.targets.findById(targetId);
  if (first === null) return;
  const kind = kindOf(context, first.kind);
  const { members, groups } = await groupWith(context, kind, first);
  const everyMs = checkEveryMs(kind, groups);
  const claimed: { readonly target: TargetRecord; readonly failedBefore: boolean }[] = [];
  for (const target of members) {
    // Those of a group that are due a little later come along, and stay together from then on.
    const earlyMs = target.id === first.id ? 0 : everyMs * COMES_ALONG;
    const claim = await context.store.transaction((tx) => tx.checks.claim(target.id, everyMs, earlyMs));
    if (claim === null && target.id === first.id) return;
    if (claim !== null) claimed.push({ target, ...claim });
  }
  const limits = { maxAtOnce: MAX_AT_ONCE, timeoutMs: LOOK_WITHIN_MS, asksAgents: false };
  const checked = await checkTargets(
    context,
    claimed.map(({ target }) => target),
    signal,
    limits,
  );
  for (const [index, one] of checked.entries()) {
    const { target, failedBefore } = claimed[index] ?? {};
    if (target === undefined || failedBefore === undefined || signal.aborted) continue;
    await recordCheck(context, target, failedBefore, one, signal);
  }
}

/** How many groups there are matters only where a quota is shared. */
async function groupWith(
  context: AppContext,
  kind: TargetKind,
  first: TargetRecord,
): Promise<{ readonly members: readonly TargetRecord[]; readonly groups: number }> {
  if (kind.requestsPerCheck === undefined && kind.checkGroup === undefined)
    return { members: [first], groups: 1 };
  const { read } = context.store;
  const all: TargetRecord[] = [];
  for (const id of await read.checks.listOf(first.kind)) {
    const target = await read.targets.findById(id);
    if (target !== null) all.push(target);
  }
  const own = checkGroupOf(context, first);
  const others = all.filter((target) => target.id !== first.id && checkGroupOf(context, target) === own);
  return {
    members: [first, ...others],
    groups: new Set([own, ...all.map((target) => checkGroupOf(context, target))]).size,
  };
}

async function recordCheck(
  context: AppContext,
  target: TargetRecord,
  failedBefore: boolean,
  checked: CheckedTarget,
  signal: AbortSignal,
): Promise<void> {
  const { error } = checked;
  if (error !== null) context.log.warn("check failed", { target: target.name, code: error.code });
  // Places that are away keep a worker waiting; they must not keep the others' pushes waiting.
  const awayMs = error !== null && failedBefore && !isSourceAwayCode(error.code) ? AWAY_MS : 0;
  const laterMs = Math.max(error?.retryAfterMs ?? 0, awayMs);
  // A quota that is used up, or a source of ours that is away, says nothing about the place; it is looked at later.
  const isOurs = error !== null && isSourceAwayCode(error.code);
  const isKnown = error === null || !(isLimited(error.code) || isOurs);
  await context.store.transaction((tx) =>
    isKnown
      ? tx.checks.record(target.id, { error, laterMs })
      : tx.checks.postpone(target.id, Math.max(laterMs, isOurs ? SOURCE_AWAY_MS : 0)),
  );
  if (error === null) await testDaily(context, target, signal);
  if (await isToBeHealed(context, target.id, checked))
    await healPlaces(context, HEALER, { environment: target.environment, target: target.name });
}

/** What a look does not try: writing, and the right to restart. Better missed on a quiet day than in a rotation. */
async function testDaily(context: AppContext, target: TargetRecord, signal: AbortSignal): Promise<void> {
  // What agents and people say of themselves is never older than their last word.
  if (kindOf(context, target.kind).delivery !== "direct") return;
  if (!(await context.store.transaction((tx) => tx.checks.claimTest(target.id, TESTS)))) return;
  await withDeadline(signal, LOOK_WITHIN_MS, (limited) => testTarget(context, target, limited));
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
  if ((await store.read.meta.setBack()) !== null) return false;
  const drifted = bindings.filter(({ state, isSettled }) => isDrift(state) && isSettled);
  if (drifted.length === 0) return false;
  const healing = await store.read.checks.healing(targetId);
  if (!drifted.every(({ bindingId }) => healing.has(bindingId))) return false;
  const heals = await store.read.checks.healsWithin(HEALER.id, HOUR_MS);
  return (heals.get(targetId) ?? 0) < HEALS_PER_HOUR;
}
