/** Operations for places in other hands: what a person must do there, and that it is done. */
import { z } from "zod";
import { operation } from "./api-operation.ts";
import { name } from "./api-parts.ts";

const at = z.strictObject({ environment: name, target: name });
/** Of the step that was looked at: what a newer change asks for is another one. */
const generation = z.int().min(0);

const step = z.object({
  target: z.string(),
  environment: z.string(),
  generation: z.int(),
  isOpen: z.boolean(),
  instructions: z.string().nullable(),
  keys: z.array(
    z.object({
      key: z.string(),
      secret: z.string(),
      do: z.enum(["set", "remove", "keep"]),
      version: z.int().nullable(),
      before: z.int().nullable(),
    }),
  ),
});
export type StepAnswer = z.output<typeof step>;

export const STEP_OPERATIONS = {
  listSteps: operation({
    method: "GET",
    path: "/steps",
    summary: "What people must do at manual targets.",
    permission: "status.read",
    query: z.strictObject({
      environment: name.exactOptional(),
      /** Those too where nothing is to be done. */
      all: z.enum(["true", "false"]).exactOptional(),
    }),
    answer: z.object({ steps: z.array(step) }),
  }),
  readStep: operation({
    method: "GET",
    path: "/steps/:environment/:target",
    summary: "What must stand at one manual target, and what is to be done there.",
    permission: "status.read",
    params: at,
    answer: step,
  }),
  revealStep: operation({
    method: "POST",
    path: "/steps/:environment/:target/reveal",
    summary: "The value of one key of a step, once. Recorded before it is opened.",
    permission: "secret.reveal",
    params: at,
    body: z.strictObject({ generation, key: z.string().min(1).max(512) }),
    answer: z.object({ key: z.string(), value: z.string() }),
    confidential: true,
  }),
  confirmStep: operation({
    method: "POST",
    path: "/steps/:environment/:target/confirm",
    summary: "A person says that everything stands there and is used.",
    permission: "rollout.resume",
    params: at,
    body: z.strictObject({ generation }),
    answer: step,
  }),
};
