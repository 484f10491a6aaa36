/** `lockstep step confirm TARGET`: a person says that everything stands there and is used. Asks first, on a terminal. */
import { LockstepError } from "../../../core/errors.ts";
import type { CommandFunction } from "../cli.ts";
import { canAsk, confirm } from "../prompt.ts";
import { showStep } from "../show/step.ts";
import { resolveTarget } from "../target-name.ts";

export interface StepConfirmOptions {
  readonly environment?: string;
  readonly yes?: boolean;
}

export const run: CommandFunction<[target: string], StepConfirmOptions> = async (cli, [name], options) => {
  const api = await cli.api();
  const { environment, name: target } = await resolveTarget(api, name, options.environment);
  const params = { environment, target };
  const step = await api.call("readStep", { params });
  if (step.isOpen && options.yes !== true) {
    showStep(cli.output, step);
    if (!canAsk(cli)) {
      throw new LockstepError("USAGE", "Cannot ask for confirmation: there is no terminal.", {
        hint: "Repeat with --yes when it is done.",
      });
    }
    if (!(await confirm(cli, `Does ${target} hold all of it, and use it?`))) return 1;
  }
  const { generation } = step;
  const answer = step.isOpen ? await api.call("confirmStep", { params, body: { generation } }) : step;
  cli.output.answer(answer, () =>
    cli.output.line(
      step.isOpen ? `Confirmed: ${target} in ${environment}.` : `Nothing had to be done at ${target}.`,
    ),
  );
  return 0;
};
