/**
 * Whether the processes that run now hold what is settled at their place, and whether verifiers accept it: a restart
 * that never came, somebody's rollback, a service that has not read its file again. Rollouts look for themselves, with
 * more than this; what they have seen is left alone.
 */
import { type Evidence, isAtLeast } from "../../core/evidence.ts";
import type { Target } from "../../core/ports/target.ts";
import type { Judged } from "../../core/rollout/judge-observation.ts";
import type { Acceptance } from "../../core/rollout/member.ts";
import type { BindingObservation, LoopBinding } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import { type KnownBinding, loadKnown } from "../desired/known-values.ts";
import { type InstancesObservation, observeInstances, type RunningUnits } from "./observe-instances.ts";
import { probeOnce, proberFor } from "./probe-binding.ts";

/** Of looks by schedule: a service is asked, not put under load. */
const ASK_AGAIN_MS = 300_000;
export interface ProcessLook extends RunningUnits {
  /** Bindings whose place was not seen to hold anything else: there it is said already what is wrong. */
  readonly mayAsk: ReadonlySet<string>;
  /** By somebody: then services are asked anew. */
  readonly isWaitedFor: boolean;
}

export async function observeProcesses(
  context: AppContext,
  targetId: string,
  target: Target,
  { mayAsk, isWaitedFor, ...there }: ProcessLook,
  signal: AbortSignal,
): Promise<readonly BindingObservation[]> {
  const beganAtMs = await context.store.read.meta.storeNow();
  const known = (await loadKnown(context, targetId)).filter(
    ({ binding }) => binding.rollout === null && binding.settled.primary != null,
  );
  if (known.length === 0) return [];
  const lives = await observeInstances(context, target, there, known, signal);
  const nowMs = context.clock.now().getTime();
  const looks: BindingObservation[] = [];
  for (const one of known) {
    const { id, settledDigest } = one.binding;
    const seen = lives.get(id) ?? null;
    const isDue = mayAsk.has(id) && (isWaitedFor || askedAtMs(one.binding) + ASK_AGAIN_MS < nowMs);
    const asked = isDue ? await askAboutSettled(context, target, one, signal) : null;
    if (seen === null && asked === null) continue;
    looks.push({
      bindingId: id,
      settledDigest,
      beganAtMs,
      judge: (before) => judge(before, seen, asked),
      lives: seen?.stored ?? null,
      acceptance: asked === null ? null : { [asked.version]: asked.acceptance },
      used: null,
      usedBy: null,
    });
  }
  return looks;
}

/** When some process asked its service about what is settled; 0: never. */
function askedAtMs({ acceptance, settled }: LoopBinding): number {
  const at = acceptance[String(settled.primary)]?.at;
  return at === undefined ? 0 : Date.parse(at);
}

interface Asked {
  readonly version: number;
  readonly acceptance: Acceptance;
}

/** Null: nobody can ask it, or it may not be sent. */
async function askAboutSettled(
  context: AppContext,
  target: Target,
  { binding, versions, compromised }: KnownBinding,
  signal: AbortSignal,
): Promise<Asked | null> {
  const { probe } = binding.options;
  const version = binding.settled.primary;
  const value = version == null ? undefined : versions.get(version);
  if (probe === null || binding.role === "caller" || version == null || value === undefined) return null;
  if (compromised.has(version)) return null;
  const now = context.clock.now();
  const answer = await probeOnce(proberFor(context, target, probe), probe, value, signal);
  return { version, acceptance: { ...answer, at: now.toISOString() } };
}

/** Raises only to what was seen, and lowers only where a process surely holds something else. */
function judge(before: Evidence | null, seen: InstancesObservation | null, asked: Asked | null): Judged {
  const stored = isAtLeast(before, "stored") ? "stored" : before;
  if (seen?.verdict.state === "lacks") return { evidence: stored, lacks: true, reason: seen.verdict.reason };
  if (asked?.acceptance.verdict === "refused") {
    const reason = `it refuses v${asked.version} (${asked.acceptance.reason})`;
    return { evidence: stored, lacks: true, reason };
  }
  const isStored = isAtLeast(before, "stored");
  if (asked?.acceptance.verdict === "accepted" && isStored)
    return { evidence: "proven", lacks: false, reason: null };
  const isSeen = seen?.verdict.state === "right" && before !== "proven" && isStored;
  return { evidence: isSeen ? "running" : before, lacks: false, reason: null };
}
