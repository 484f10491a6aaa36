/** `lockstep rollout resume ID`: what held it up is repaired. */
import type { CommandFunction } from "../cli.ts";
import { showRollout } from "../show/rollout.ts";

export const run: CommandFunction<[rollout: string], unknown> = async (cli, [rollout]) => {
  const api = await cli.api();
  const answer = await api.call("resumeRollout", { params: { rollout } });
  cli.output.answer(answer, () => showRollout(cli.output, answer));
  return 0;
};
