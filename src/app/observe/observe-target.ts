/**
 * Looks at what stands, runs and answers at one target, for the gates of the rollouts that move its secrets. Changes
 * nothing there. What was seen counts only for the slots that were settled when the look began; a write that comes
 * meanwhile drops it.
 */
import { isSourceAway, toLockstepError } from "../../core/errors.ts";
import type { Target } from "../../core/ports/target.ts";
import { judgeObservation } from "../../core/rollout/judge-observation.ts";
import type { BindingObservation, LoopBinding, TargetRecord } from "../../core/store/targets.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../base/context.ts";
import { inTime } from "../base/in-time.ts";
import { dispatch } from "../base/transaction.ts";
import { type KnownBinding, loadKnown } from "../desired/known-bindings.ts";
import { judgeOrders } from "../orders/judge-orders.ts";
import { kindOf, withTarget } from "../targets/open-target.ts";
import { judgeStored, type ReadBack } from "./judge-stored.ts";
import { type InstancesObservation, observeInstances } from "./observe-instances.ts";
import { observeVerifier, usedWhenUnknown, type VerifierObservation } from "./observe-verifier.ts";

const LOOK_WITHIN_MS = 60_000;
/** Bindings of one target: mostly one service, which is asked, not put under load. */
const PROBED_AT_ONCE = 2;

export async function observeTarget(
  context: AppContext,
  targetId: string,
  signal: AbortSignal,
): Promise<void> {
  const { read } = context.store;
  const target = await read.targets.findById(targetId);
  if (target === null || kindOf(context, target.kind).delivery === "agent") return;
  const beganAtMs = await read.meta.storeNow();
  const known = (await loadKnown(context, targetId)).filter(
    ({ binding }) => binding.rollout !== null && binding.settled.primary !== undefined,
  );
  if (known.length === 0) return;
  try {
    const looks = await inTime(target.name, signal, LOOK_WITHIN_MS, (limited) =>
      withTarget(context, target, (open) => lookAt(context, target, open, known, beganAtMs, limited), {
        purpose: "background",
      }),
    );
    await record(context, looks);
  } catch (thrown) {
    const error = toLockstepError(thrown);
    // What was seen before still stands: this says nothing about the place.
    if (isSourceAway(error)) throw error;
    const { code, message } = error;
    context.log.warn("look failed", { target: target.name, code, reason: message });
    await record(
      context,
      known.map(({ binding }) => blind(binding, beganAtMs, message)),
    );
  }
  const rollouts = new Set(known.flatMap(({ binding }) => binding.rollout?.id ?? []));
  await dispatch(context, (next) => next.advance(rollouts));
}

async function lookAt(
  context: AppContext,
  record: TargetRecord,
  target: Target,
  known: readonly KnownBinding[],
  beganAtMs: number,
  signal: AbortSignal,
): Promise<readonly BindingObservation[]> {
  const addresses = known.flatMap(({ binding: { placement, key, fallbackKey } }) => [
    { placement, key },
    { placement, key: fallbackKey },
  ]);
  const observation = await target.observe(addresses, signal);
  await judgeOrders(context, record, observation.orders, "mark");
  const lives = await observeInstances(context, target, observation, known, signal);
  return await mapLimited(known, PROBED_AT_ONCE, async (one) => {
    const stored = judgeStored(one, observation.keys, context.sameValue);
    const seen = lives.get(one.binding.id) ?? null;
    const asked = await observeVerifier(context, target, one, seen, signal);
    return lookOf(one.binding, beganAtMs, { ...stored, ...asked, lives: seen });
  });
}

/** What was seen of one binding, whoever looked. */
export interface ObservedBinding extends ReadBack, VerifierObservation {
  /** Null: nobody can look into processes there. */
  readonly lives: InstancesObservation | null;
}

export function lookOf(
  binding: LoopBinding,
  beganAtMs: number,
  { wrong, readBack, lives, acceptance, isReported, used, usedBy }: ObservedBinding,
): BindingObservation {
  const held = [binding.settled.primary, binding.settled.fallback].filter((version) => version !== undefined);
  return {
    bindingId: binding.id,
    settledDigest: binding.settledDigest,
    beganAtMs,
    judge: (before) =>
      judgeObservation(before, {
        wrong,
        readBack,
        running: lives?.verdict ?? null,
        acceptance,
        isReported,
        held,
      }),
    lives: lives?.told ?? null,
    acceptance: Object.fromEntries(acceptance),
    used,
    usedBy,
  };
}

/** It could not be looked at: nothing is known now that would open a gate, and nothing speaks against it. */
function blind(binding: LoopBinding, beganAtMs: number, reason: string): BindingObservation {
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

async function record(context: AppContext, looks: readonly BindingObservation[]): Promise<void> {
  await context.store.transaction(async (tx) => {
    for (const look of looks) await tx.targets.recordObservation(look);
  });
}
