/** `lockstep alert silence`: nothing is sent for a while. */
import type { CommandFunction } from "../cli.ts";

interface Options {
  readonly for: number;
  readonly reason: string;
  readonly kind?: string;
}

export const run: CommandFunction<[], Options> = async (cli, _parameters, { for: forMs, reason, kind }) => {
  const api = await cli.api();
  const answer = await api.call("silenceAlerts", {
    body: { forMs, reason, ...(kind === undefined ? {} : { kind }) },
  });
  cli.output.answer(answer, () =>
    cli.output.line(`New alerts are recorded, but not sent, until ${answer.until}.`),
  );
  return 0;
};
