/** `lockstep rollout rollback ID`: back to the version before, in order. */
import type { CommandFunction } from "../cli.ts";
import { EXIT_CANNOT_TELL, followRollout } from "../follow.ts";
import { showRollout } from "../show/rollout.ts";

export interface RollbackOptions {
  readonly wait?: boolean;
  /** In ms. */
  readonly timeout?: number;
}

export const run: CommandFunction<[rollout: string], RollbackOptions> = async (cli, [rollout], options) => {
  const api = await cli.api();
  const started = await api.call("rollbackRollout", { params: { rollout } });
  if (options.wait !== true) {
    cli.output.answer(started, () => {
      showRollout(cli.output, started);
      if (started.state === "running") cli.output.line(`To check: lockstep rollout show ${started.rollout}`);
    });
    return 0;
  }
  const ended = await followRollout(cli, api, started.rollout, options.timeout);
  cli.output.answer(ended, () => showRollout(cli.output, ended));
  if (ended.state === "running") return EXIT_CANNOT_TELL;
  return ended.state === "done" ? 0 : 1;
};
