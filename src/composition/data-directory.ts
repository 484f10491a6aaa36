/**
 * The data directory before anything is put into it: it holds the root key and the admin token, so it is this user's alone.
 *
 * Attacker: another local user who prepared the directory, or could write into it: what lies there may be theirs. Refused,
 * because no change of mode undoes that. Where others could only read, it is closed, and that is told.
 */
import { chmod, mkdir, realpath, stat } from "node:fs/promises";
import { LockstepError } from "../core/errors.ts";
import type { Logger } from "../core/ports/logger.ts";

/** Made 0700 where it is missing. Throws SETTING_INVALID where it cannot be used, FILE_UNSAFE where others may write. */
export async function openDataDirectory(path: string, log: Logger): Promise<void> {
  const found = await makeAndLook(path);
  if (!found.isDirectory()) throw unusable(path);
  const own = process.geteuid?.();
  if (own !== undefined && found.uid !== own) {
    throw new LockstepError(
      "FILE_UNSAFE",
      `Cannot use the data directory ${path}: it belongs to the user with id ${found.uid}, and this is ${own}.`,
      {
        hint: "Start Lockstep as that user, name another directory with LOCKSTEP_DATA, or give it away (chown -R).",
      },
    );
  }
  const mode = (found.mode & 0o777).toString(8);
  if ((found.mode & 0o022) !== 0) {
    throw new LockstepError(
      "FILE_UNSAFE",
      `Cannot use the data directory ${path}: its mode is ${mode}, so others could put files there.`,
      {
        hint: "See that everything in it is yours, then `chmod 700` it. What others may have read is known: make a new root key (`lockstep rewrap`) and new tokens.",
      },
    );
  }
  if ((found.mode & 0o055) === 0) return;
  await chmod(path, 0o700).catch(() => {
    throw unusable(path);
  });
  log.warn("data directory was open to others and is closed now; what they could read they may have read", {
    directory: path,
    mode,
  });
}

async function makeAndLook(path: string) {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    return await stat(await realpath(path));
  } catch {
    throw unusable(path);
  }
}

function unusable(path: string): LockstepError {
  return new LockstepError(
    "SETTING_INVALID",
    `Cannot use the data directory ${path}: it cannot be made private to this user.`,
    { hint: "Name another one with LOCKSTEP_DATA." },
  );
}
