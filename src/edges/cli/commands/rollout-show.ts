/** `lockstep rollout show ID`. */
import type { CommandFunction } from "../cli.ts";
import { showRollout } from "../show/rollout.ts";

export const run: CommandFunction<[rollout: string], unknown> = async (cli, [rollout]) => {
  const api = await cli.api();
  const answer = await api.call("getRollout", { params: { rollout } });
  cli.output.answer(answer, () => showRollout(cli.output, answer));
  return 0;
};
