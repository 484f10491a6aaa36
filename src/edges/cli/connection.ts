/**
 * Finds the server: LOCKSTEP_URL with LOCKSTEP_TOKEN, or the one that runs on this machine's data directory.
 *
 * Attacker: another local user who takes the port of a server that has stopped, and waits for the admin token.
 * Defence: the address file names the process; it is used only while that process lives, and is removed at its end.
 * The local admin token goes to the local server alone.
 */
import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import type { CliSurroundings } from "../../config.ts";
import { LockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";
import { ApiClient } from "./client.ts";

export const SERVER_FILE = "server.json";
export const ADMIN_TOKEN_FILE = "admin.token";

export const serverFile = z.object({ url: z.url(), pid: z.int().positive() });

export async function connect(surroundings: CliSurroundings): Promise<ApiClient> {
  const { dataDirectory, token } = surroundings;
  const local = await findLocalServer(dataDirectory);
  const url = surroundings.url ?? local;
  if (url === null) {
    throw new LockstepError(
      "SERVER_UNREACHABLE",
      `Cannot find Lockstep: no server runs on ${dataDirectory}.`,
    );
  }
  if (token !== null) return new ApiClient({ url, token });
  if (url !== local) {
    throw new LockstepError("UNAUTHENTICATED", `Cannot speak with ${url}: LOCKSTEP_TOKEN is not set.`, {
      hint: "Set LOCKSTEP_TOKEN to a token of that server (`lockstep token create` there).",
    });
  }
  return new ApiClient({ url, token: await readAdminToken(dataDirectory) });
}

/** The address of the server that runs on this directory; null when none does. */
export async function findLocalServer(dataDirectory: string): Promise<string | null> {
  try {
    const file = serverFile.parse(JSON.parse(await readFile(join(dataDirectory, SERVER_FILE), "utf8")));
    return isAlive(file.pid) ? file.url : null;
  } catch {
    return null;
  }
}

async function readAdminToken(dataDirectory: string): Promise<SecretValue> {
  const path = join(dataDirectory, ADMIN_TOKEN_FILE);
  try {
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0) {
      throw new LockstepError("FILE_UNSAFE", `Cannot use ${path}: others may read it.`, {
        hint: "Revoke that token, delete the file and start Lockstep again; it makes a new one.",
      });
    }
    const text = (await readFile(path, "utf8")).trim();
    if (/^[A-Za-z0-9_-]{8,200}$/.test(text)) return SecretValue.of(text);
  } catch (error) {
    if (error instanceof LockstepError) throw error;
  }
  throw new LockstepError("UNAUTHENTICATED", `Cannot speak with Lockstep: ${path} holds no token for us.`, {
    hint: "Run as the user that Lockstep runs as, or set LOCKSTEP_TOKEN.",
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
