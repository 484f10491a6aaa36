/** `lockstep epoch`: whether the store was set back, and what stands where. Exits with 4 while nothing may be moved. */
import type { CommandFunction } from "../cli.ts";
import { EXIT_CANNOT_TELL } from "../follow.ts";
import { showEpoch } from "../show/epoch.ts";

export const run: CommandFunction<[], unknown> = async (cli) => {
  const api = await cli.api();
  const answer = await cli.output.while("Checking the places", () => api.call("lookAtEpoch"));
  cli.output.answer(answer, () => {
    showEpoch(cli.output, answer, new Date());
    if (answer.setBack === null) return;
    cli.output.line();
    cli.output.line("Make sure that no other copy of this store runs. Then: lockstep epoch begin --reason …");
  });
  return answer.setBack === null ? 0 : EXIT_CANNOT_TELL;
};
