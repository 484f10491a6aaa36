/**
 * Where the agent keeps what it must know after a restart: its keys, the sealed cache, its records. On disk, in a
 * directory that only its user may enter; or in memory, for an identity that ends with its process.
 *
 * Attacker: another local user, who would read the keys or put files of their own in. Defence: the directory and each
 * file belong to us, nobody else has rights to them, links are not followed, and nobody else may exchange a directory
 * on the way. What is written is either the old text or the new one, also after a loss of power.
 */
import { randomBytes } from "node:crypto";
import { constants } from "node:fs";
import { lstat, mkdir, open, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import { type FileOwner, type PrivateFileRules, readPrivateFile } from "../../../lib/private-file.ts";

export interface AgentFiles {
  /** For messages. */
  readonly where: string;
  /** Null: there is none. Throws FILE_UNSAFE for one that others may read, write or exchange. */
  read(name: string): Promise<string | null>;
  write(name: string, text: string): Promise<void>;
  remove(name: string): Promise<void>;
}

const RULES: PrivateFileRules = { maxBytes: 16 * 1024 * 1024, assertOurs, unsafe };

/** Makes the directory when it is not there, unless `create` is false. Throws FILE_UNSAFE. */
export async function openAgentFiles(
  directory: string,
  { create }: { create: boolean },
): Promise<AgentFiles> {
  if (create) {
    await mkdir(directory, { recursive: true, mode: 0o700 }).catch(() => {
      throw new LockstepError("FILE_UNSAFE", `Cannot make the directory ${directory}.`, {
        hint: "Run as a user that may, or choose another one with LOCKSTEP_AGENT_STATE.",
      });
    });
  }
  await assertPrivateDirectory(directory);
  return {
    where: directory,
    read: (name) => readPrivateFile(join(directory, name), RULES),
    write: (name, text) => writePrivate(directory, name, text),
    remove: (name) => rm(join(directory, name), { force: true }),
  };
}

/** For an identity that nobody shall find afterwards. */
export function memoryFiles(): AgentFiles {
  const texts = new Map<string, string>();
  return {
    where: "memory",
    read: async (name) => texts.get(name) ?? null,
    write: async (name, text) => void texts.set(name, text),
    remove: async (name) => void texts.delete(name),
  };
}

async function assertPrivateDirectory(directory: string): Promise<void> {
  const found = await lstat(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw unsafe(directory, "it cannot be read");
  });
  if (found === null) return;
  if (!found.isDirectory()) throw unsafe(directory, "it is not a directory of its own");
  assertOurs(directory, found);
  for (let way = dirname(directory); ; way = dirname(way)) {
    const { mode, uid } = await lstat(way);
    const sticky = (mode & 0o1000) !== 0;
    const isLink = (mode & constants.S_IFMT) === constants.S_IFLNK;
    if ((uid !== 0 && uid !== ourUid()) || (!isLink && (mode & 0o022) !== 0 && !sticky)) {
      throw unsafe(directory, `others may exchange ${way}, which it stands in`);
    }
    if (way === dirname(way)) return;
  }
}

async function writePrivate(directory: string, name: string, text: string): Promise<void> {
  const temp = join(directory, `.${name}.${randomBytes(8).toString("hex")}`);
  try {
    const file = await open(temp, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temp, join(directory, name));
    const parent = await open(directory, "r");
    await parent.sync().finally(() => parent.close());
  } catch {
    await rm(temp, { force: true }).catch(() => undefined);
    throw new LockstepError("FILE_UNSAFE", `Cannot write ${join(directory, name)}.`, {
      hint: "Check that the disk has room and that the directory belongs to the agent's user.",
    });
  }
}

function assertOurs(path: string, { uid, mode }: FileOwner): void {
  if (uid !== ourUid()) throw unsafe(path, `it belongs to the user with id ${uid}`);
  if ((mode & 0o077) !== 0)
    throw unsafe(path, `its mode is ${(mode & 0o777).toString(8)}, which lets other users access it`);
}

function ourUid(): number {
  return process.geteuid?.() ?? -1;
}

function unsafe(path: string, why: string): LockstepError {
  return new LockstepError("FILE_UNSAFE", `Cannot use ${path}: ${why}.`, {
    hint: "It must belong to the agent's user and to nobody else: 0700 for the directory, 0600 for files. If others had access, revoke the agent and enroll it again.",
  });
}
