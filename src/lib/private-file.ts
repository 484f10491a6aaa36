/**
 * Reads a file that nobody but its owner may have put there: what was looked at is what is read.
 *
 * Attacker: another local user, with a link, a pipe or a file under a name that is ours. Defence: links are not followed,
 * opening never waits, and whose file it is is judged on what was opened. Who counts as the owner is the caller's to say.
 */
import { constants } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";

export interface FileOwner {
  readonly uid: number;
  readonly mode: number;
}

export interface PrivateFileRules {
  readonly maxBytes: number;
  /** Throws when the file is not ours, or when others have rights to it. */
  assertOurs(path: string, owner: FileOwner): void;
  /** The error for what is no readable file; `why` goes on after the file's name. */
  unsafe(path: string, why: string): Error;
}

const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The text. Null: there is none. */
export async function readPrivateFile(path: string, rules: PrivateFileRules): Promise<string | null> {
  const file = await open(path, FLAGS).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw rules.unsafe(path, error.code === "ELOOP" ? "it is a symbolic link" : "it cannot be read");
  });
  if (file === null) return null;
  try {
    return await readOpened(path, file, rules);
  } finally {
    await file.close();
  }
}

async function readOpened(path: string, file: FileHandle, rules: PrivateFileRules): Promise<string> {
  const found = await file.stat();
  if (!found.isFile() || found.size > rules.maxBytes) throw rules.unsafe(path, "it is not a file of ours");
  rules.assertOurs(path, found);
  return await file.readFile("utf8").catch(() => {
    throw rules.unsafe(path, "it cannot be read");
  });
}
