/** Handlers that move secrets. */
import { resumeRollout } from "../../../app/rollouts/resume-rollout.ts";
import { viewRollout } from "../../../app/views/rollouts.ts";
import type { ROLLOUT_OPERATIONS } from "../../../protocol/api-rollouts.ts";
import type { Handlers } from "../routes.ts";

export const rolloutHandlers: Pick<Handlers, keyof typeof ROLLOUT_OPERATIONS> = {
  resumeRollout: async ({ params }, { context, caller }) => {
    // Also turns what is no id into NOT_FOUND before the store sees it.
    const { rollout } = await viewRollout(context, params.rollout);
    await resumeRollout(context, caller.actor, rollout);
    return viewRollout(context, rollout);
  },
};
