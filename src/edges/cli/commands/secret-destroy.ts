/** `lockstep secret destroy NAME --version N`: drops a retired version's value for good. */
import { LockstepError } from "../../../core/errors.ts";
import type { CommandFunction } from "../cli.ts";
import { sayCopies } from "../kept-copies.ts";
import { canAsk, confirm } from "../prompt.ts";
import { resolveSecret } from "../secret-name.ts";

export interface DestroyOptions {
  readonly environment?: string;
  readonly secretVersion: number;
  readonly yes?: boolean;
}

export const run: CommandFunction<[name: string], DestroyOptions> = async (cli, [name], options) => {
  const api = await cli.api();
  const secret = await resolveSecret(api, name, options.environment);
  if (options.yes !== true) {
    if (!canAsk(cli)) {
      throw new LockstepError("USAGE", "Cannot ask for confirmation: there is no terminal.", {
        hint: "Add --yes to confirm.",
      });
    }
    const agreed = await confirm(cli, `Destroy the value of ${name} v${options.secretVersion} permanently?`);
    if (!agreed) {
      cli.output.note("Nothing was destroyed.");
      return 1;
    }
  }
  const answer = await api.call("destroyVersion", { params: { ...secret, version: options.secretVersion } });
  cli.output.answer(answer, () => {
    cli.output.line(`${name} v${answer.version} is destroyed. Older backups still hold it.`);
    sayCopies(cli, answer.copies);
  });
  return 0;
};
