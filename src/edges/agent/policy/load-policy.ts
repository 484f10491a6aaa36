/**
 * Reads the policy's file, if nobody but root and the agent's own user could have written it. Opened without
 * following a link, and judged by what was opened, so that no exchange in between goes unnoticed.
 */
import { constants } from "node:fs";
import { type FileHandle, lstat, mkdir, open, realpath } from "node:fs/promises";
import { dirname } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import { shellQuote } from "../../../lib/shell-quote.ts";
import { NO_POLICY, type Policy, parsePolicy } from "./policy.ts";

const MAX_BYTES = 256 * 1024;

export interface LoadedPolicy {
  readonly path: string;
  /** Null: there is no file, and `policy` is what holds without one. */
  readonly text: string | null;
  readonly policy: Policy;
}

/** `uid` and `home`: of the user that the agent runs as. */
export function defaultPolicyPath({ uid, home }: { readonly uid: number; readonly home: string }): string {
  return uid === 0 ? "/etc/lockstep/agent-policy.yaml" : `${home}/.config/lockstep/agent-policy.yaml`;
}

/** Throws FILE_UNSAFE with the remedy, CONFIG_INVALID with the line. A missing file is an answer. */
export async function loadPolicy(path: string, uid: number): Promise<LoadedPolicy> {
  const file = await openPolicy(path);
  if (file === null) return { path, text: null, policy: NO_POLICY };
  try {
    await assertSafe(file, path, uid);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES + 1), 0, MAX_BYTES + 1, 0);
    if (bytesRead > MAX_BYTES)
      throw new LockstepError(
        "CONFIG_INVALID",
        `Cannot use the host's policy ${path}: it is larger than 256 KiB.`,
      );
    const text = buffer.subarray(0, bytesRead).toString("utf8");
    return { path, text, policy: parsePolicy(text, path) };
  } finally {
    await file.close();
  }
}

/** Writes the first policy, never over another: ALREADY_EXISTS. Missing directories are made, closed to others. */
export async function writeFirstPolicy(path: string, text: string, uid: number): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: uid === 0 ? 0o755 : 0o700 });
  await assertSafeWay(path, uid);
  let file: FileHandle;
  try {
    file = await open(path, "wx", uid === 0 ? 0o644 : 0o600);
  } catch (error) {
    const exists = error instanceof Error && "code" in error && error.code === "EEXIST";
    if (exists)
      throw new LockstepError("ALREADY_EXISTS", `The host has a policy already: ${path}.`, {
        hint: "Edit it by hand.",
      });
    throw new LockstepError("TARGET_PERMISSION", `Cannot write the host's policy ${path}.`, {
      hint: "Write it as the user that the agent runs as, or as root.",
    });
  }
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function openPolicy(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "ENOENT") return null;
    if (code === "ELOOP") throw unsafe(path, "it is a symbolic link", "Put the file itself there.");
    throw new LockstepError("TARGET_PERMISSION", `Cannot read the host's policy ${path}.`, {
      hint: "Let the user that the agent runs as read it.",
    });
  }
}

async function assertSafe(file: FileHandle, path: string, uid: number): Promise<void> {
  const {
    uid: owner,
    mode,
    size,
  } = await file.stat().then((stats) => {
    if (!stats.isFile()) throw unsafe(path, "it is not a regular file", "Put a file there.");
    return stats;
  });
  if (owner !== 0 && owner !== uid) {
    throw unsafe(
      path,
      `it belongs to the user with id ${owner}`,
      `Give it to root: chown root ${shellQuote(path)}`,
    );
  }
  if ((mode & 0o022) !== 0) {
    throw unsafe(
      path,
      "others than its owner may write it",
      `Take the right away: chmod go-w ${shellQuote(path)}`,
    );
  }
  if (size > MAX_BYTES) return;
  await assertSafeWay(path, uid);
}

/** Each directory on the way, as written and where links lead: who may write one may exchange what is below. */
async function assertSafeWay(path: string, uid: number): Promise<void> {
  const last = dirname(path);
  const ways = new Set([...upwards(last), ...upwards(await realpath(last))]);
  for (const directory of ways) {
    const stats = await lstat(directory);
    const isForeign = stats.uid !== 0 && stats.uid !== uid;
    const isOpen = !stats.isSymbolicLink() && (stats.mode & 0o022) !== 0;
    // In a sticky directory nobody can exchange what belongs to us; for the last one that is not enough.
    const isSticky = (stats.mode & 0o1000) !== 0 && directory !== last;
    if (isForeign || (isOpen && !isSticky)) {
      throw unsafe(
        path,
        `the directory ${directory} is writable by others, or belongs to somebody else`,
        "Each directory on the way must belong to root or to the agent's user, and be writable by nobody else.",
      );
    }
  }
}

function upwards(directory: string): readonly string[] {
  const parent = dirname(directory);
  return parent === directory ? [directory] : [directory, ...upwards(parent)];
}

function unsafe(path: string, why: string, hint: string): LockstepError {
  return new LockstepError("FILE_UNSAFE", `Cannot trust the host's policy ${path}: ${why}.`, { hint });
}
