/** `lockstep secret generate NAME`: a new version whose value is made by the secret's policy. */
import type { CommandFunction } from "../cli.ts";
import { resolveSecret } from "../secret-name.ts";
import { showIntroduced } from "../show/introduced.ts";

export const run: CommandFunction<[name: string], { readonly environment?: string }> = async (
  cli,
  [name],
  options,
) => {
  const api = await cli.api();
  const params = await resolveSecret(api, name, options.environment);
  const answer = await api.call("generateSecret", { params });
  cli.output.answer(answer, () => showIntroduced(cli.output, answer));
  return 0;
};
