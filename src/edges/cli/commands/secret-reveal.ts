/** `lockstep secret reveal NAME`: the value itself on stdout, and nothing else there. Recorded before it is opened. */
import { LockstepError } from "../../../core/errors.ts";
import { PLAIN_FIELD } from "../../../core/secret.ts";
import type { CommandFunction } from "../cli.ts";
import { resolveSecret } from "../secret-name.ts";

export interface RevealOptions {
  readonly environment?: string;
  readonly secretVersion?: number;
  readonly field?: string;
}

export const run: CommandFunction<[name: string], RevealOptions> = async (cli, [name], options) => {
  const api = await cli.api();
  const params = await resolveSecret(api, name, options.environment);
  const answer = await api.call("revealSecret", {
    params,
    body: options.secretVersion === undefined ? {} : { version: options.secretVersion },
  });
  if (cli.output.json) {
    cli.output.answer({ ...params, ...answer }, () => undefined);
    return 0;
  }
  const names = Object.keys(answer.fields);
  const field = options.field ?? (names.length === 1 ? names[0] : PLAIN_FIELD);
  const value = field === undefined ? undefined : answer.fields[field];
  if (value === undefined) {
    throw new LockstepError("USAGE", `Cannot show ${name}: it has the fields ${names.join(", ")}.`, {
      hint: "Name one with --field.",
    });
  }
  cli.output.note(`note: ${name} v${answer.version}; this was recorded.`);
  cli.output.raw(value);
  return 0;
};
