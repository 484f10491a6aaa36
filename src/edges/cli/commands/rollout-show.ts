/** `lockstep rollout show ROLLOUT`: by its id, or the latest of a secret by that one's name. */
import { LockstepError } from "../../../core/errors.ts";
import type { CommandFunction } from "../cli.ts";
import { showRollout } from "../show/rollout.ts";

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export const run: CommandFunction<[named: string], unknown> = async (cli, [named]) => {
  const api = await cli.api();
  const rollout = ID.test(named) ? named : await latestOf(named);
  const answer = await api.call("getRollout", { params: { rollout } });
  cli.output.answer(answer, () => showRollout(cli.output, answer));
  return 0;

  async function latestOf(secret: string): Promise<string> {
    const { rollouts } = await api.call("listRollouts", { query: { secret, limit: 1 } });
    const [latest] = rollouts;
    if (latest !== undefined) return latest.rollout;
    throw new LockstepError("NOT_FOUND", `There is no rollout of a secret named ${JSON.stringify(named)}.`, {
      hint: "`lockstep rollout list` shows the rollouts.",
    });
  }
};
