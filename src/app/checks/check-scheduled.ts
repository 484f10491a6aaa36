/** A look for drift by schedule: what was found is on record, and healed where the configuration says so. */
import { SYSTEM } from "../../core/actor.ts";
import { isDrift } from "../../core/drift/state.ts";
import type { TargetKind } from "../../core/ports/target.ts";
import type { AppContext } from "../context.ts";
import { healPlaces } from "../doctor/heal-places.ts";
import { kindOf } from "../open-target.ts";
import { type CheckedTarget, checkTargets } from "./check-targets.ts";

export const DEFAULT_CHECK_EVERY_MS = 300_000;
const LOOK_WITHIN_MS = 60_000;
/** Drift that comes back has a writer of its own: it is told, not fought. */
const HEALS_PER_HOUR = 2;
const HOUR_MS = 3_600_000;
const HEALER = { ...SYSTEM, id: "healing", name: "healing" };

export function checkEveryMs({ checkEveryMs: own }: Pick<TargetKind, "checkEveryMs">): number {
  return own ?? DEFAULT_CHECK_EVERY_MS;
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
  const everyMs = checkEveryMs(kindOf(context, target.kind));
  if (!(await context.store.transaction((tx) => tx.checks.claim(targetId, everyMs)))) return;
  const limits = { maxAtOnce: 1, timeoutMs: LOOK_WITHIN_MS, asksAgents: false };
  const [checked] = await checkTargets(context, [target], signal, limits);
  if (checked === undefined || signal.aborted) return;
  const { error } = checked;
  await context.store.transaction((tx) =>
    tx.checks.record(targetId, { error, laterMs: error?.retryAfterMs ?? 0 }),
  );
  if (error !== null) context.log.warn("check failed", { target: target.name, code: error.code });
  if (await isToBeHealed(context, targetId, checked))
    await healPlaces(context, HEALER, { environment: target.environment, target: target.name });
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
