/** Tells the next steps after a push was recorded. Only an accelerator: the sweep finds the same work. */
import type { AppContext } from "../base/context.ts";
import { hint } from "../base/hint.ts";
import { advanceRollout } from "../rollouts/advance-rollout.ts";

export async function afterPush(context: AppContext, targetId: string): Promise<void> {
  for (const rolloutId of await context.store.read.rollouts.movableAtTarget(targetId)) {
    await advanceRollout(context, rolloutId);
  }
  for (const { id, inMs } of await context.store.read.activations.owedAtTarget(targetId)) {
    await hint(context, [{ name: "activate", id }], inMs);
  }
}
