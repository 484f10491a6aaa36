/**
 * Recovery copies of the root key. A copy is the key file's own text, so that it opens the store when it is put back in
 * the file's place; unlike that file it may lie on a medium without owners and modes, or come from a pipe.
 */
import { open } from "node:fs/promises";
import { LockstepError } from "../../core/errors.ts";
import type { RootKeyCopies } from "../../core/ports/root-key-copies.ts";
import { SecretValue } from "../../core/secret-value.ts";
import { keyIdOf, ROOT_KEY_BYTES } from "./local-key-ring.ts";
import { readRootKey } from "./root-key-file.ts";

const TEXT = /^[A-Za-z0-9_-]{43}$/;

export const rootKeyCopies: RootKeyCopies = {
  async read(rootKeyFile) {
    const key = await readRootKey(rootKeyFile);
    if (key === null) {
      throw new LockstepError("ROOT_KEY_MISSING", `There is no root key at ${rootKeyFile}.`, {
        hint: "Run this where Lockstep runs, as its user, with its LOCKSTEP_DATA or LOCKSTEP_ROOT_KEY_FILE.",
      });
    }
    return SecretValue.of(Buffer.from(key).toString("base64url"));
  },

  async write(path, copy) {
    try {
      const file = await open(path, "wx", 0o600);
      try {
        await file.writeFile(`${copy.reveal()}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "EEXIST") {
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
    const text = copy.reveal().trim();
    const key = Buffer.from(text, "base64url");
    if (TEXT.test(text) && key.length === ROOT_KEY_BYTES) return keyIdOf(key);
    throw new LockstepError(
      "RECOVERY_COPY_WRONG",
      "This is no copy of a root key: it must be 43 letters, digits, `-` and `_`, and nothing else.",
    );
  },
};
