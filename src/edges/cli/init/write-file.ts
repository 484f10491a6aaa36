/** Puts lockstep.yaml in place: whole or not at all, readable by everybody, never over an existing file by itself. */
import { randomBytes } from "node:crypto";
import { chmod, link, lstat, rename, rm, writeFile } from "node:fs/promises";
import { LockstepError } from "../../../core/errors.ts";

const MODE = 0o644;

export async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(() => null)) !== null;
}

/** Throws ALREADY_EXISTS when one came up meanwhile and may not be replaced. */
export async function writeConfigFile(
  path: string,
  text: string,
  { replace, shown }: { readonly replace: boolean; readonly shown: string },
): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString("hex")}.tmp`;
  try {
    await writeFile(temporary, text, { flag: "wx", mode: MODE });
    // Whatever the umask: it holds no values, and colleagues are meant to read it.
    await chmod(temporary, MODE);
    if (replace) await rename(temporary, path);
    else await link(temporary, path);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EEXIST") throw alreadyThere(shown);
    throw new LockstepError("CONFIG_UNREADABLE", `Cannot write ${shown}: ${whyUnwritable(code)}.`, {
      hint: "Name another file with -f.",
    });
  } finally {
    await rm(temporary, { force: true });
  }
}

function whyUnwritable(code: unknown): string {
  if (code === "ENOENT" || code === "ENOTDIR") return "its directory does not exist";
  if (code === "EACCES" || code === "EPERM" || code === "EROFS") return "its directory may not be written";
  return code === "ENOSPC" || code === "EDQUOT" ? "the disk is full" : "the operating system refuses it";
}

export function alreadyThere(shown: string): LockstepError {
  return new LockstepError("ALREADY_EXISTS", `Cannot write ${shown}: it already exists.`, {
    hint: "Name another file with -f, or add --force to replace it.",
  });
}
