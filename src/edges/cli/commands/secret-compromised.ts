/** `lockstep secret compromised NAME --secret-version N`: somebody else knows it. */
import { shellCommand } from "../../../lib/shell-quote.ts";
import type { CommandFunction } from "../cli.ts";
import { sayCopies } from "../kept-copies.ts";
import { resolveSecret } from "../secret-name.ts";

export interface CompromisedOptions {
  readonly environment?: string;
  readonly secretVersion: number;
}

export const run: CommandFunction<[name: string], CompromisedOptions> = async (cli, [name], options) => {
  const api = await cli.api();
  const secret = await resolveSecret(api, name, options.environment);
  const answer = await api.call("compromiseVersion", {
    params: { ...secret, version: options.secretVersion },
  });
  cli.output.answer(answer, () => {
    cli.output.line(
      `${name} v${answer.version} is marked as compromised: Lockstep never pushes, accepts or restores it again.`,
    );
    if (answer.isInUse)
      cli.output.line(
        `Places still use it. Replace it everywhere now: ${shellCommand(["lockstep", "rotate", name])} --wait`,
      );
    sayCopies(cli, answer.copies);
  });
  return 0;
};
