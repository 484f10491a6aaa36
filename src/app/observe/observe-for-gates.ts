/**
 * What the gates of rollouts learn of a target, whoever observed it: directly, or by its agents' reports. An observation
 * counts only for the slots that were settled when it began; a write that comes meanwhile drops it.
 */
import { isSourceAway, toLockstepError } from "../../core/errors.ts";
import { judgeObservation } from "../../core/rollout/judge-observation.ts";
import type { BindingObservation, LoopBinding, TargetRecord } from "../../core/store/targets.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../base/context.ts";
import { inTime } from "../base/in-time.ts";
import { dispatch } from "../base/transaction.ts";
import { type KnownBinding, loadKnown } from "../desired/known-values.ts";
import type { ReadBack } from "./judge-stored.ts";
import type { InstancesObservation } from "./observe-instances.ts";
import { usedWhenUnknown, type VerifierObservation } from "./observe-verifier.ts";

const OBSERVE_WITHIN_MS = 60_000;
/** Bindings of one target: mostly one service, which is probed, not put under load. */
const PROBED_AT_ONCE = 2;

export interface GateQuestion {
  readonly target: TargetRecord;
  readonly known: readonly KnownBinding[];
  /** By the store's clock, ms since the epoch: what was written later was not observed. */
  readonly beganAtMs: number;
}

/** What was observed of one binding. */
export interface ObservedBinding extends ReadBack, VerifierObservation {
  /** Null: nobody can look into processes there. */
  readonly instances: InstancesObservation | null;
}

/** Bindings of which something is settled, and that an open rollout moves. */
export async function loadGated(context: AppContext, targetId: string): Promise<readonly KnownBinding[]> {
  return (await loadKnown(context, targetId)).filter(
    ({ binding: { rollout, settled } }) => rollout !== null && settled.primary !== undefined,
  );
}

/**
 * Records what `observe` answers, or that the target could not be observed, and then lets its rollouts go on. Throws what
 * a key ring or a value store says that is away: what was observed before still stands.
 */
export async function observeForGates(
  context: AppContext,
  { target, known, beganAtMs }: GateQuestion,
  signal: AbortSignal,
  observe: (limited: AbortSignal) => Promise<readonly BindingObservation[]>,
): Promise<void> {
  if (known.length === 0) return;
  const looked = context.telemetry.during("look", target.kind, () =>
    inTime(target.name, signal, OBSERVE_WITHIN_MS, observe),
  );
  const observations = await looked.catch((thrown) => {
    const error = toLockstepError(thrown);
    // This says nothing about the target.
    if (isSourceAway(error)) throw error;
    const { code, message } = error;
    context.log.warn("observation failed", { target: target.name, code, reason: message });
    return known.map(({ binding }) => notObserved(binding, beganAtMs, message));
  });
  await context.store.transaction(async (tx) => {
    for (const observation of observations) await tx.targets.recordObservation(observation);
  });
  const rollouts = new Set(known.flatMap(({ binding }) => binding.rollout?.id ?? []));
  await dispatch(context, (next) => next.advance(rollouts));
}

/** A few at once. */
export async function observeEach(
  { known, beganAtMs }: GateQuestion,
  observe: (one: KnownBinding) => Promise<ObservedBinding>,
): Promise<readonly BindingObservation[]> {
  return await mapLimited(known, PROBED_AT_ONCE, async (one) =>
    observationOf(one.binding, beganAtMs, await observe(one)),
  );
}

function observationOf(
  binding: LoopBinding,
  beganAtMs: number,
  { wrong, readBack, instances, acceptance, isReported, used, usedBy }: ObservedBinding,
): BindingObservation {
  const held = [binding.settled.primary, binding.settled.fallback].filter((version) => version !== undefined);
  const running = instances?.verdict ?? null;
  return {
    bindingId: binding.id,
    settledDigest: binding.settledDigest,
    beganAtMs,
    judge: (before) => judgeObservation(before, { wrong, readBack, running, acceptance, isReported, held }),
    lives: instances?.stored ?? null,
    acceptance: Object.fromEntries(acceptance),
    used,
    usedBy,
  };
}

/** Nothing is known now that would open a gate, and nothing speaks against it. */
function notObserved(binding: LoopBinding, beganAtMs: number, reason: string): BindingObservation {
  return {
    bindingId: binding.id,
    settledDigest: binding.settledDigest,
    beganAtMs,
    judge: (before) => ({
      evidence: before === "proven" || before === "running" ? "deployed" : before,
      lacks: false,
      reason: `could not be looked at: ${reason}`,
    }),
    lives: null,
    acceptance: {},
    used: usedWhenUnknown(binding, beganAtMs),
    usedBy: null,
  };
}
