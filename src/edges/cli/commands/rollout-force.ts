/** `lockstep rollout force ID --target T --reason R`: one place holds the rollout up no more, on record. */
import type { CommandFunction } from "../cli.ts";
import { showRollout } from "../show/rollout.ts";

export interface ForceOptions {
  readonly target: string;
  readonly key?: string;
  readonly reason: string;
}

export const run: CommandFunction<[rollout: string], ForceOptions> = async (cli, [rollout], options) => {
  const { target, key, reason } = options;
  const api = await cli.api();
  const answer = await api.call("forceRollout", {
    params: { rollout },
    body: { target, reason, ...(key === undefined ? {} : { key }) },
  });
  cli.output.answer(answer, () => showRollout(cli.output, answer));
  return 0;
};
