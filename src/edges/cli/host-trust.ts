/**
 * A host's key is trusted only when it has the expected fingerprint, or when a person who compared it says so: whoever
 * stands in the middle shows a key as well.
 */
import { LockstepError } from "../../core/errors.ts";
import type { Cli } from "./cli.ts";
import { confirm } from "./prompt.ts";

/** False: a person said no. Throws TARGET_HOST_KEY when another one was expected. */
export async function isTrusted(cli: Cli, shown: string, expected: string | undefined): Promise<boolean> {
  if (expected !== undefined) {
    if (expected === shown) return true;
    throw new LockstepError(
      "TARGET_HOST_KEY",
      `Cannot trust the host: it shows ${shown}, expected was ${expected}.`,
    );
  }
  cli.output.note(`The host shows ${shown}`);
  return confirm(
    cli,
    "Is this what its owner sees there (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub)?",
  );
}
