/** `lockstep token revoke ID`. */
import type { CommandFunction } from "../cli.ts";

export const run: CommandFunction<[id: string], unknown> = async (cli, [id]) => {
  const api = await cli.api();
  const answer = await api.call("revokeToken", { params: { id } });
  cli.output.answer(answer, () => cli.output.line(`Token ${id} is revoked.`));
  return 0;
};
