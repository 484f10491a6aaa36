/** `lockstep root-key copy FILE`: a recovery copy, where Lockstep runs. `-` is the standard output, for a pipe. */
import { resolve } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import { shellCommand } from "../../../lib/shell-quote.ts";
import { rootKeyFileOf } from "../../../settings/settings.ts";
import type { CommandFunction } from "../cli.ts";

export const run: CommandFunction<[file: string], unknown> = async (cli, [file]) => {
  const copies = await cli.rootKeyCopies();
  const settings = cli.settings({});
  if (settings.keyRing !== "local")
    throw new LockstepError(
      "UNSUPPORTED",
      "Cannot copy a root key: the root key of this store is in Vault.",
      {
        hint: "Keep Vault's own backup instead: `vault operator raft snapshot save FILE`, with its unseal keys.",
      },
    );
  const copy = await copies.read(rootKeyFileOf(settings));
  if (file === "-") {
    if (cli.output.json)
      throw new LockstepError("USAGE", "Cannot print the key as JSON: `-` prints the key alone.");
    cli.output.note(
      "note: whoever has this key and the store can read every value. Next: lockstep root-key check",
    );
    cli.output.raw(copy.reveal());
    return 0;
  }
  const path = resolve(cli.surroundings.workingDirectory, file);
  await copies.write(path, copy);
  cli.output.answer({ path, keyId: copies.keyId(copy) }, () => {
    cli.output.line(`The root key was copied to ${path}.`);
    cli.output.line(
      "Keep the file away from this machine and from backups of the store: key and store together give every value.",
    );
    cli.output.line(
      `Then check the copy where you keep it: ${shellCommand(["lockstep", "root-key", "check", "FILE"])}`,
    );
  });
  return 0;
};
