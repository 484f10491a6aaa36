/**
 * Recovery copies of the root key. A copy is the key file's own text, so that it opens the store when it is put back in
 * the file's place; unlike that file it may lie on a medium without owners and modes, or come from a pipe.
 */
import { LockstepError } from "../../core/errors.ts";
import type { RootKeyCopies } from "../../core/ports/root-key-copies.ts";
import { SecretValue } from "../../core/secret-value.ts";
import { keyIdOf } from "./local-key-ring.ts";
import { hasCode, parseRootKey, readRootKey, rootKeyText, writeDurably } from "./root-key-file.ts";

export const rootKeyCopies: RootKeyCopies = {
  async read(rootKeyFile) {
    const key = await readRootKey(rootKeyFile);
    if (key === null) {
      throw new LockstepError("ROOT_KEY_MISSING", `There is no root key at ${rootKeyFile}.`, {
        hint: "Run this where Lockstep runs, as its user, with its LOCKSTEP_DATA or LOCKSTEP_ROOT_KEY_FILE.",
      });
    }
    return SecretValue.of(rootKeyText(key).trim());
  },

  async write(path, copy) {
    try {
      await writeDurably(path, `${copy.reveal()}\n`);
    } catch (error) {
      if (hasCode(error, "EEXIST")) {
        throw new LockstepError("ALREADY_EXISTS", `Cannot write the copy to ${path}: the file exists.`, {
          hint: "Choose another name; nothing is overwritten.",
        });
      }
      throw new LockstepError("CONFIG_UNREADABLE", `Cannot write the copy to ${path}.`, {
        hint: "Check that its directory exists and may be written.",
      });
    }
  },

  keyId(copy) {
    const key = parseRootKey(copy.reveal().trim());
    if (key !== null) return keyIdOf(key);
    throw new LockstepError(
      "RECOVERY_COPY_WRONG",
      "This is no copy of a root key: it must be 43 letters, digits, `-` and `_`, and nothing else.",
    );
  },
};
