/** Operations that move secrets. */
import { z } from "zod";
import { operation } from "./api-operation.ts";
import { boundStatus, id, name, strategy } from "./api-parts.ts";
import { rollout } from "./api-views.ts";

const rotation = z.object({
  /** Null: bound nowhere, so the version is current at once; or only looked at. */
  rollout: z.string().nullable(),
  secret: z.string(),
  environment: z.string(),
  from: z.int().nullable(),
  to: z.int(),
  strategy,
  state: z.enum(["planned", "running", "stalled", "done", "failed", "abandoned"]),
  bindings: z.array(boundStatus),
});
export type RotationAnswer = z.output<typeof rotation>;

export const ROLLOUT_OPERATIONS = {
  rotateSecret: operation({
    method: "POST",
    path: "/secrets/:environment/:name/rotate",
    summary: "A new value for every bound place, made by the secret's policy.",
    permission: "rollout.start",
    params: z.strictObject({ environment: name, name }),
    body: z.strictObject({
      strategy: strategy.exactOptional(),
      /** Only says what would happen. */
      dryRun: z.boolean().exactOptional(),
    }),
    answer: rotation,
  }),
  resumeRollout: operation({
    method: "POST",
    path: "/rollouts/:rollout/resume",
    summary: "What held it up is repaired: the same intent is tried again at once.",
    permission: "rollout.resume",
    params: z.strictObject({ rollout: id }),
    answer: rollout,
  }),
};
