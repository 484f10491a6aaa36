/** `lockstep secret set NAME`: a new version with a given value. */
import { PLAIN_FIELD } from "../../../core/secret.ts";
import type { CommandFunction } from "../cli.ts";
import { resolveNewSecret } from "../secret-name.ts";
import { showIntroduced } from "../show/introduced.ts";
import { readValue, type ValueOptions } from "../value-input.ts";

export interface SecretSetOptions extends ValueOptions {
  readonly environment?: string;
  readonly field?: string;
}

export const run: CommandFunction<[name: string], SecretSetOptions> = async (cli, [name], options) => {
  const api = await cli.api();
  const params = await resolveNewSecret(api, name, options.environment);
  const value = await readValue(cli, options);
  const answer = await api.call("setSecret", {
    params,
    body: { fields: { [options.field ?? PLAIN_FIELD]: value.reveal() } },
  });
  cli.output.answer(answer, () => showIntroduced(cli.output, answer));
  return 0;
};
