/** Operations that move secrets. */
import { z } from "zod";
import { operation } from "./api-operation.ts";
import { id } from "./api-parts.ts";
import { rollout } from "./api-views.ts";

export const ROLLOUT_OPERATIONS = {
  resumeRollout: operation({
    method: "POST",
    path: "/rollouts/:rollout/resume",
    summary: "What held it up is repaired: the same intent is tried again at once.",
    permission: "rollout.resume",
    params: z.strictObject({ rollout: id }),
    answer: rollout,
  }),
};
