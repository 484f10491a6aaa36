/**
 * `lockstep target trust HOST`: the host's key as lockstep.yaml pins it. Printed only when it has the expected
 * fingerprint, or when a person who compared it says so: whoever stands in the middle shows a key as well.
 */
import { LockstepError } from "../../../core/errors.ts";
import type { Cli, CommandFunction } from "../cli.ts";
import { canAsk, confirm } from "../prompt.ts";

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
    throw new LockstepError("USAGE", "Cannot trust a key that nobody compares: there is no terminal.", {
      hint: "Give the fingerprint that the host's owner told you, with --fingerprint SHA256:….",
    });
  }
  const api = await cli.api();
  const shown = await api.call("lookAtHostKey", { body: { host, ...(port === undefined ? {} : { port }) } });
  if (!(await isTrusted(cli, shown.fingerprint, fingerprint))) return 1;
  cli.output.answer(shown, () => cli.output.line(`hostKey: "${shown.hostKey}"`));
  return 0;
};

async function isTrusted(cli: Cli, shown: string, expected: string | undefined): Promise<boolean> {
  if (expected !== undefined) {
    if (expected === shown) return true;
    throw new LockstepError(
      "TARGET_HOST_KEY",
      `Cannot trust the host: it shows ${shown}, expected was ${expected}.`,
    );
  }
  cli.output.note(`The host shows ${shown}`);
  if (
    await confirm(
      cli,
      "Is that what its owner reads there (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)?",
    )
  ) {
    return true;
  }
  cli.output.note("Nothing was trusted.");
  return false;
}
