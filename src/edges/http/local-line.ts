/**
 * The line to the command line of this machine: the same API on a unix socket that only the server's user may reach.
 *
 * Attacker: another local user who takes the server's place after it has died, and waits for a token. Defence: the socket
 * lies in the data directory, which nobody else may enter; a port and a process id prove nothing and are not asked. Node
 * cannot read a peer's uid (SO_PEERCRED), so the directory's owner and mode are the guard, and the command line looks at
 * both before it connects.
 *
 * A socket that a kill left behind answers nothing, and is replaced. It is moved aside and asked once more first: of
 * several servers that start at once, one binds the name and the others are refused.
 */
import { randomBytes } from "node:crypto";
import { chmod, link, lstat, mkdtemp, realpath, rename, rm } from "node:fs/promises";
import type { Server as HttpServer } from "node:http";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { LockstepError } from "../../core/errors.ts";
import { socketAnswers } from "../../lib/socket-answers.ts";
import { SOCKET_DIRECTORY_PREFIX, SOCKET_FILE } from "../../protocol/local-line.ts";

export interface LocalLine {
  /** Absolute path of the socket. */
  readonly socket: string;
  /** Takes no further connections at once; resolves when those that were taken have ended. */
  close(): Promise<void>;
}

/** The kernel takes 108 bytes on Linux, 104 on macOS, the end included. */
const MAX_PATH_BYTES = 100;
const MAX_TRIES = 5;
/** File systems that are shared into virtual machines hold no sockets. */
const NO_SOCKETS_HERE = ["EPERM", "ENOTSUP", "EOPNOTSUPP", "EINVAL", "ENOSYS"];

/**
 * `server` serves what comes in, with its own limits; it must be listening already. `formerSocket`: the one that the
 * server before it had, or null. Throws STORE_IN_USE when a living server has this directory, SETTING_INVALID when no
 * private place for the socket is found.
 */
export async function openLocalLine(
  server: HttpServer,
  dataDirectory: string,
  formerSocket: string | null,
): Promise<LocalLine> {
  const former = await ownDirectoryOf(formerSocket);
  if (former !== null && (await socketAnswers(join(former, SOCKET_FILE)))) throw inUse(dataDirectory);
  const line = createServer({ allowHalfOpen: true }, (socket) => void server.emit("connection", socket));
  if (former !== null) await rm(former, { recursive: true, force: true });
  const inside = join(dataDirectory, SOCKET_FILE);
  if (fits(inside) && (await listenInPlace(line, inside, dataDirectory))) return opened(line, inside, null);
  const directory = await makeDirectory();
  const outside = join(directory, SOCKET_FILE);
  await listenAt(line, outside);
  return opened(line, outside, directory);
}

async function opened(line: Server, socket: string, directory: string | null): Promise<LocalLine> {
  const close = async (): Promise<void> => {
    // Node takes the socket's name away with the first step.
    const ended = new Promise<void>((resolve) => line.close(() => resolve()));
    if (directory !== null) await rm(directory, { recursive: true, force: true });
    await ended;
  };
  try {
    await chmod(socket, 0o600);
  } catch {
    await close();
    throw noPlace();
  }
  return { socket, close };
}

/** False: this file system holds no sockets. */
async function listenInPlace(line: Server, path: string, dataDirectory: string): Promise<boolean> {
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    try {
      await listenAt(line, path);
      return true;
    } catch (error) {
      const { code = "" } = error as NodeJS.ErrnoException;
      if (NO_SOCKETS_HERE.includes(code)) return false;
      if (code !== "EADDRINUSE") throw noPlace();
    }
    if ((await socketAnswers(path)) || (await removeStale(path)) === "alive") throw inUse(dataDirectory);
  }
  throw inUse(dataDirectory);
}

/** Whoever bound the name between our look and our move gets it back. */
async function removeStale(path: string): Promise<"alive" | "gone"> {
  const aside = `${path}.${randomBytes(8).toString("hex")}`;
  try {
    await rename(path, aside);
  } catch {
    return "gone";
  }
  const isAlive = await socketAnswers(aside);
  if (isAlive) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
  return isAlive ? "alive" : "gone";
}

function listenAt(line: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    line.once("error", reject);
    line.listen(path, () => {
      line.off("error", reject);
      // What fails on one connection later is that connection's matter.
      line.on("error", () => undefined);
      resolve();
    });
  });
}

/** Made exclusively, under a name that nobody could guess, where nobody else may exchange it. */
async function makeDirectory(): Promise<string> {
  for (const parent of [tmpdir(), "/tmp"]) {
    const path = await realpath(parent).catch(() => null);
    if (path === null || !fits(join(path, `${SOCKET_DIRECTORY_PREFIX}xxxxxx`, SOCKET_FILE))) continue;
    const { mode, uid } = await lstat(path);
    const isClosed = (mode & 0o1000) !== 0 || (mode & 0o022) === 0;
    if (!isClosed || (uid !== 0 && uid !== process.geteuid?.())) continue;
    return mkdtemp(join(path, SOCKET_DIRECTORY_PREFIX));
  }
  throw noPlace();
}

/**
 * The directory that a server before us made for its socket; null: none that is still ours. Under the same name somebody
 * else may have made one after a restart of the machine: that one is neither asked nor touched.
 */
async function ownDirectoryOf(socket: string | null): Promise<string | null> {
  const directory = dirname(socket ?? "");
  if (!basename(directory).startsWith(SOCKET_DIRECTORY_PREFIX)) return null;
  const found = await lstat(directory).catch(() => null);
  return found?.isDirectory() === true && found.uid === process.geteuid?.() ? directory : null;
}

function fits(path: string): boolean {
  return Buffer.byteLength(path) <= MAX_PATH_BYTES;
}

function inUse(dataDirectory: string): LockstepError {
  return new LockstepError("STORE_IN_USE", `Cannot start: another Lockstep serves ${dataDirectory}.`);
}

function noPlace(): LockstepError {
  return new LockstepError(
    "SETTING_INVALID",
    "Cannot open the line to the command line: there is no private place for its socket.",
    {
      hint: "Set LOCKSTEP_DATA to a shorter path, or TMPDIR to a directory that belongs to this user alone.",
    },
  );
}
