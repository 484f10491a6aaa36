/** Tells the next steps after a push was recorded. Only an accelerator: the sweep finds the same work. */
import type { AppContext } from "../context.ts";
import { advanceRollout } from "../rollouts/advance-rollout.ts";
import { hint } from "./hint.ts";

export async function afterPush(context: AppContext, targetId: string): Promise<void> {
  for (const rolloutId of await context.store.read.rollouts.openAtTarget(targetId)) {
    await advanceRollout(context, rolloutId);
  }
  const due = await context.store.read.activations.due(50);
  await hint(
    context,
    due.map((id) => ({ name: "activate", id }) as const),
  );
}
