/**
 * The way to the server of this machine's data directory, checked before a word leaves.
 *
 * Attacker: another local user who wants the admin token: by listening where a dead server listened, by a link, by a
 * directory that is prepared under a name that was ours. Defence: directory, socket and files belong to us or to root,
 * nobody else has rights to them, links are not followed. Only who owns the directory can have bound a socket in it.
 */
import { lstat, realpath } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { LockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";
import { type FileOwner, type PrivateFileRules, readPrivateFile } from "../../lib/private-file.ts";
import { socketAnswers } from "../../lib/socket-answers.ts";
import {
  ADMIN_TOKEN_FILE,
  SERVER_FILE,
  SOCKET_DIRECTORY_PREFIX,
  SOCKET_FILE,
  serverFile,
} from "../../protocol/local-line.ts";

export interface LocalServer {
  /** Absolute path of the unix socket. */
  readonly socket: string;
  /** To be shown. */
  readonly url: string;
}

const RULES: PrivateFileRules = { maxBytes: 4096, assertOurs, unsafe };

/** Null: no server of this directory answers. Throws FILE_UNSAFE where somebody else could be the one who does. */
export async function findLocalServer(dataDirectory: string): Promise<LocalServer | null> {
  const directory = await privateDirectory(dataDirectory);
  if (directory === null) return null;
  const text = await readPrivateFile(join(directory, SERVER_FILE), RULES);
  const told = text === null ? null : serverFile.safeParse(parseJson(text));
  if (told === null || !told.success) return null;
  const { socket, url } = told.data;
  return (await assertPrivateSocket(socket, directory)) && (await socketAnswers(socket))
    ? { socket, url }
    : null;
}

/** Throws FILE_UNSAFE, UNAUTHENTICATED. */
export async function readAdminToken(dataDirectory: string): Promise<SecretValue> {
  const path = join((await privateDirectory(dataDirectory)) ?? dataDirectory, ADMIN_TOKEN_FILE);
  const text = (await readPrivateFile(path, RULES))?.trim() ?? "";
  if (/^[A-Za-z0-9_-]{8,200}$/.test(text)) return SecretValue.of(text);
  throw new LockstepError("UNAUTHENTICATED", `Cannot speak with Lockstep: ${path} holds no token for us.`, {
    hint: "Run this command as the user that Lockstep runs as, or set LOCKSTEP_TOKEN.",
  });
}

/** False: there is none any more. */
async function assertPrivateSocket(path: string, dataDirectory: string): Promise<boolean> {
  const directory = dirname(path);
  if (directory !== dataDirectory) {
    if (!basename(directory).startsWith(SOCKET_DIRECTORY_PREFIX) || basename(path) !== SOCKET_FILE)
      throw unsafe(path, "no Lockstep server puts its socket there");
    const found = await look(directory);
    if (found === null) return false;
    if (!found.isDirectory()) throw unsafe(directory, "it is not a directory of its own");
    assertOurs(directory, found);
  }
  const found = await look(path);
  if (found === null) return false;
  if (!found.isSocket()) throw unsafe(path, "it is not a socket");
  assertOurs(path, found);
  return true;
}

/** As links lead to it, because people keep data on other disks; what it leads to is what must be private. */
async function privateDirectory(path: string): Promise<string | null> {
  const directory = await realpath(path).catch(() => null);
  const found = directory === null ? null : await look(directory);
  if (directory === null || found === null) return null;
  if (!found.isDirectory()) throw unsafe(directory, "it is not a directory");
  assertOurs(directory, found);
  return directory;
}

function look(path: string) {
  return lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return null;
    throw unsafe(path, "it cannot be read");
  });
}

function assertOurs(path: string, { uid, mode }: FileOwner): void {
  if (uid !== process.geteuid?.() && uid !== 0) {
    throw unsafe(
      path,
      `it belongs to the user with id ${uid}`,
      "Run this command as the user that Lockstep runs as (for example with sudo -u), or set LOCKSTEP_URL and LOCKSTEP_TOKEN.",
    );
  }
  if ((mode & 0o077) !== 0) {
    throw unsafe(
      path,
      `its mode is ${(mode & 0o777).toString(8)}, which lets other users access it`,
      "Close it (chmod go=), stop Lockstep, delete admin.token and start again: it makes a new token, and `lockstep token revoke` ends the old one.",
    );
  }
}

function unsafe(
  path: string,
  why: string,
  hint = "Nothing was sent. Find out who put it there, remove it, and start Lockstep again.",
): LockstepError {
  return new LockstepError("FILE_UNSAFE", `Cannot use ${path}: ${why}.`, { hint });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
