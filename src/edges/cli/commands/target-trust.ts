/**
 * `lockstep target trust HOST`: the host's key as lockstep.yaml pins it. Printed only when it has the expected
 * fingerprint, or when a person who compared it says so: whoever stands in the middle shows a key as well.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { CommandFunction } from "../cli.ts";
import { isTrusted } from "../host-trust.ts";
import { canAsk } from "../prompt.ts";

export interface TrustOptions {
  readonly fingerprint?: string;
  readonly port?: number;
}

export const run: CommandFunction<[host: string], TrustOptions> = async (
  cli,
  [host],
  { fingerprint, port },
) => {
  if (fingerprint === undefined && !canAsk(cli)) {
    throw new LockstepError("USAGE", "Cannot trust a key that nobody has compared: there is no terminal.", {
      hint: "Give the fingerprint that the host's owner told you, with --fingerprint SHA256:….",
    });
  }
  const api = await cli.api();
  const shown = await api.call("lookAtHostKey", { body: { host, ...(port === undefined ? {} : { port }) } });
  if (!(await isTrusted(cli, shown.fingerprint, fingerprint))) {
    cli.output.note("Nothing was trusted.");
    return 1;
  }
  cli.output.answer(shown, () => cli.output.line(`hostKey: "${shown.hostKey}"`));
  return 0;
};
