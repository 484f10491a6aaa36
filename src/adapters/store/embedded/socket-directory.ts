/**
 * Where the socket lies: in the data directory, unless the path would be too long for the kernel (108 bytes on Linux,
 * 104 on macOS); then in a short temporary directory.
 *
 * Attacker: another local user who prepares or swaps that directory, and so receives our connections. Defence: it is
 * made exclusively with a random name, 0700, and looked at again; its parent must be sticky or not writable by
 * others. SCRAM also gives a false server neither the password nor our trust.
 */
import { chmod, chown, lstat, mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import type { RunAs } from "./run.ts";
import { SOCKET_PORT } from "./settings.ts";

const MAX_PATH_BYTES = 100;
const PREFIX = "lockstep-pg-";

export async function makeSocketDirectory(directory: string, as: RunAs): Promise<string> {
  const inside = join(directory, "socket");
  if (fits(inside)) {
    await mkdir(inside, { recursive: true, mode: 0o700 });
    await chmod(inside, 0o700);
    if (as.owner !== null) await chown(inside, as.owner.uid, as.owner.gid);
    return inside;
  }
  for (const parent of [tmpdir(), "/tmp"]) {
    if (!fits(join(parent, `${PREFIX}xxxxxx`)) || !(await isSafeParent(parent))) continue;
    const outside = await mkdtemp(join(parent, PREFIX));
    const made = await lstat(outside);
    if (!made.isDirectory() || made.uid !== process.getuid?.() || (made.mode & 0o077) !== 0) continue;
    if (as.owner !== null) await chown(outside, as.owner.uid, as.owner.gid);
    return outside;
  }
  throw new LockstepError(
    "SETTING_INVALID",
    "Cannot start the embedded Postgres: the data directory's path is too long for a socket, and there is no safe temporary directory.",
    { hint: "Set LOCKSTEP_DATA to a shorter path.", details: { directory } },
  );
}

/** A temporary one that `makeSocketDirectory` made, now or before a crash. The one inside the data directory stays. */
export async function removeSocketDirectory(path: string): Promise<void> {
  if (!basename(path).startsWith(PREFIX)) return;
  if (
    await lstat(path).then(
      (found) => found.isDirectory() && ours(found.uid),
      () => false,
    )
  ) {
    await rm(path, { recursive: true, force: true });
  }
}

/**
 * Postgres keeps a second pid file beside the socket and believes a reused pid there too. The directory is one
 * server's alone, which the data directory's own lock sees to: this one may always go before a start.
 */
export async function removeSocketLock(directory: string): Promise<void> {
  await rm(join(directory, `.s.PGSQL.${SOCKET_PORT}.lock`), { force: true });
}

/** The path is what Postgres will use, whichever name of the directory it was given. */
function fits(directory: string): boolean {
  return Buffer.byteLength(join(directory, `.s.PGSQL.${SOCKET_PORT}`)) <= MAX_PATH_BYTES;
}

function ours(uid: number): boolean {
  const self = process.getuid?.();
  return self === 0 || self === uid;
}

async function isSafeParent(parent: string): Promise<boolean> {
  const path = await realpath(parent).catch(() => null);
  if (path === null) return false;
  const { mode, uid } = await lstat(path);
  const sticky = (mode & 0o1000) !== 0;
  return (
    (uid === 0 || uid === process.getuid?.()) && (sticky || (mode & 0o022) === 0) && dirname(path) !== path
  );
}
