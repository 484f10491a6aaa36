/** One job, by whoever takes it: each name is a use case. */
import { SYSTEM } from "../../core/actor.ts";
import type { Job } from "../../core/ports/queue.ts";
import { assertNever } from "../../lib/assert-never.ts";
import { activateUnit } from "../activation/activate-unit.ts";
import { followActivations } from "../activation/follow-activations.ts";
import type { AppContext } from "../base/context.ts";
import { renewSecret } from "../renewals/renew-secret.ts";
import { advanceRollout } from "../rollouts/advance-rollout.ts";
import { rotateBySchedule } from "../secrets/rotate-due.ts";
import { observeTarget } from "./observe-target.ts";
import { reconcileTarget } from "./reconcile-target.ts";

const RENEWER = { ...SYSTEM, id: "renewal", name: "renewal" };

/**
 * Throws what the use case throws, and what the sealer says of a root key that is not the store's, or not there. Looks
 * that the queue refuses meanwhile are done here as well, each once: no row says that they are due, so no sweep finds them.
 */
export async function runJob(context: AppContext, job: Job, signal: AbortSignal): Promise<void> {
  // With another root key than the store's every place would seem to fail: whoever has the right one does the work.
  await context.sealer.assertCurrent();
  await context.sealer.assertRingThere();
  const looks = new Set<string>();
  const working: AppContext = {
    ...context,
    dispatch: async (by, followUps) => {
      const refused = await context.dispatch(by, followUps);
      for (const { name, id } of refused) if (name === "look") looks.add(id);
      return refused;
    },
  };
  await run(working, job, signal);
  for (const id of looks) await observeTarget(working, id, signal);
}

async function run(context: AppContext, { name, id }: Job, signal: AbortSignal): Promise<void> {
  switch (name) {
    case "reconcile":
      await reconcileTarget(context, id, signal);
      return;
    case "activate":
      return activateUnit(context, id, signal);
    case "follow":
      return followActivations(context, id, signal);
    case "look":
      return observeTarget(context, id, signal);
    case "advance":
      return advanceRollout(context, id);
    case "renew":
      await renewSecret(context, RENEWER, id, "due", signal);
      return;
    case "rotate":
      return rotateBySchedule(context, id, signal);
    default:
      return assertNever(name);
  }
}
