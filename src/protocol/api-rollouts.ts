/** Operations that move secrets. */
import { z } from "zod";
import { operation } from "./api-operation.ts";
import { boundStatus, id, name, strategy } from "./api-parts.ts";
import { rollout } from "./api-views.ts";

const rotation = z.object({
  /** Null: bound nowhere, so the version is current at once; or only looked at. */
  rollout: z.string().nullable(),
  /** What was under way already, and is answered with: the rollout, or the request to the issuer. */
  joined: z.string().exactOptional(),
  secret: z.string(),
  environment: z.string(),
  from: z.int().nullable(),
  to: z.int(),
  strategy,
  state: z.enum(["planned", "running", "stalled", "done", "failed", "abandoned"]),
  bindings: z.array(boundStatus),
  /** Further places on the hosts, which keep the old value; `wins`: the process there is given that one. */
  leftBehind: z.array(z.object({ target: z.string(), copy: z.string(), wins: z.boolean() })),
  /** Of a dry run: in which order, how often each role is deployed, and why not in order. */
  preview: z
    .object({
      phases: z.array(z.string()),
      deployments: z.object({ verifier: z.int(), both: z.int(), caller: z.int() }),
      settleForMs: z.number(),
      /** Why it would not be `overlap`; empty when it would, or was told otherwise. */
      because: z.array(z.string()),
    })
    .exactOptional(),
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
      /** Waits for nobody's silence; hurries the rollout under way when two versions are in use. */
      urgent: z.boolean().exactOptional(),
      /** Only says what would happen. */
      dryRun: z.boolean().exactOptional(),
    }),
    answer: rotation,
  }),
  rollbackRollout: operation({
    method: "POST",
    path: "/rollouts/:rollout/rollback",
    summary: "Back to the version before, in order. Answers the rollout that goes back.",
    permission: "rollout.rollback",
    params: z.strictObject({ rollout: id }),
    answer: rollout,
  }),
  forceRollout: operation({
    method: "POST",
    path: "/rollouts/:rollout/force",
    summary: "Takes one place out of the rollout's gates, with a reason, on record.",
    permission: "rollout.force",
    params: z.strictObject({ rollout: id }),
    body: z.strictObject({
      target: name,
      key: z.string().min(1).max(512).exactOptional(),
      reason: z.string().regex(/^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]{1,500}$/u),
    }),
    answer: rollout,
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
