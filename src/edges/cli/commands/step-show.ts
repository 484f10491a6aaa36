/** `lockstep step show TARGET`: what must stand at one place in other hands, and how to say that it does. */
import type { CommandFunction } from "../cli.ts";
import { showStep } from "../show/step.ts";
import { resolveTarget } from "../target-name.ts";

export const run: CommandFunction<[target: string], { readonly environment?: string }> = async (
  cli,
  [name],
  options,
) => {
  const api = await cli.api();
  const { environment, name: target } = await resolveTarget(api, name, options.environment);
  const step = await api.call("readStep", { params: { environment, target } });
  cli.output.answer(step, () => showStep(cli.output, step));
  return 0;
};
