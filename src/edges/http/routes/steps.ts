/** Handlers for places in other hands. A value becomes text only in `revealStep`'s answer. */
import { confirmStep, listSteps, revealStep, type Step, viewStep } from "../../../app/manual/steps.ts";
import type { STEP_OPERATIONS, StepAnswer } from "../../../protocol/api-steps.ts";
import type { Handlers } from "../routes.ts";

export const stepHandlers: Pick<Handlers, keyof typeof STEP_OPERATIONS> = {
  listSteps: async ({ query: { environment, all } }, { context }) => {
    const steps = await listSteps(context, {
      ...(environment === undefined ? {} : { environment }),
      open: all !== "true",
    });
    return { steps: steps.map(answerOf) };
  },
  readStep: async ({ params }, { context }) => answerOf(await viewStep(context, params)),
  revealStep: async ({ params, body }, { context, caller }) => ({
    key: body.key,
    value: (await revealStep(context, caller.actor, params, body)).reveal(),
  }),
  confirmStep: async ({ params, body }, { context, caller }) =>
    answerOf(await confirmStep(context, caller.actor, params, body.generation)),
};

function answerOf(step: Step): StepAnswer {
  return { ...step, keys: step.keys.map((key) => ({ ...key })) };
}
