/** `lockstep step list`: what people must do at places in other hands. */
import type { StepAnswer } from "../../../protocol/api-steps.ts";
import type { CommandFunction } from "../cli.ts";
import { doText } from "../show/step.ts";
import { showTable } from "../table.ts";

export interface StepListOptions {
  readonly environment?: string;
  readonly all?: boolean;
}

export const run: CommandFunction<[], StepListOptions> = async (cli, _parameters, { environment, all }) => {
  const api = await cli.api();
  const answer = await api.call("listSteps", {
    query: {
      ...(environment === undefined ? {} : { environment }),
      ...(all === true ? { all: "true" } : {}),
    },
  });
  cli.output.answer(answer, () =>
    showTable<StepAnswer>(
      cli.output,
      [
        { header: "target", cell: ({ target }) => target },
        { header: "environment", cell: (step) => step.environment },
        { header: "do", cell: ({ isOpen, keys }) => (isOpen ? todo(keys) : "nothing"), shrink: true },
      ],
      answer.steps,
      "Nothing must be done by hand.",
    ),
  );
  return 0;
};

function todo(keys: StepAnswer["keys"]): string {
  return keys
    .filter((key) => key.do !== "keep")
    .map((key) => `${key.key}: ${doText(key)}`)
    .join("; ");
}
