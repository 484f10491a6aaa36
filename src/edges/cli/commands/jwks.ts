/** `lockstep jwks NAME`: the public keys, as verifiers read them. Always one JSON document: there is nothing to say beside it. */
import type { CommandFunction } from "../cli.ts";
import { resolveSecret } from "../secret-name.ts";

export const run: CommandFunction<[name: string], { readonly environment?: string }> = async (
  cli,
  [name],
  options,
) => {
  const api = await cli.api();
  const answer = await api.call("getPublicKeys", {
    params: await resolveSecret(api, name, options.environment),
  });
  cli.output.answer(answer, () => cli.output.line(JSON.stringify(answer)));
  return 0;
};
