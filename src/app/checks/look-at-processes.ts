/**
 * Whether the processes that run now hold what is settled at their place: a restart that never came, or somebody's
 * rollback. Rollouts look for themselves, with more than this; what they have seen is left alone.
 */
import { isAtLeast } from "../../core/evidence.ts";
import type { BindingLook } from "../../core/ports/store/targets.ts";
import type { Target, UnitSpec } from "../../core/ports/target.ts";
import type { Judged } from "../../core/rollout/judge-look.ts";
import type { AppContext } from "../context.ts";
import { type LivesSeen, lookAtLives } from "../look/look-at-lives.ts";
import { loadKnown } from "../loop/known-bindings.ts";

export async function lookAtProcesses(
  context: AppContext,
  targetId: string,
  target: Target,
  units: readonly UnitSpec[],
  signal: AbortSignal,
): Promise<readonly BindingLook[]> {
  if (target.running === undefined || units.length === 0) return [];
  const beganAtMs = await context.store.read.targets.beginLook();
  const known = (await loadKnown(context, targetId)).filter(
    ({ binding }) => binding.rollout === null && binding.settled.primary != null,
  );
  if (known.length === 0) return [];
  const lives = await lookAtLives(context, target, units, known, signal);
  return known.flatMap(({ binding }): BindingLook[] => {
    const seen = lives.get(binding.id);
    return seen === undefined
      ? []
      : [
          {
            bindingId: binding.id,
            settledDigest: binding.settledDigest,
            beganAtMs,
            judge: (before) => judge(before, seen),
            lives: seen.told,
            acceptance: null,
            used: null,
          },
        ];
  });
}

/** Raises only to what was seen, and lowers only where a process surely holds something else. */
function judge(before: Parameters<BindingLook["judge"]>[0], { verdict }: LivesSeen): Judged {
  if (verdict.state === "lacks") {
    const evidence = isAtLeast(before, "stored") ? "stored" : before;
    return { evidence, lacks: true, reason: verdict.reason };
  }
  const isSeen = verdict.state === "right" && before !== "proven" && isAtLeast(before, "stored");
  return { evidence: isSeen ? "running" : before, lacks: false, reason: null };
}
