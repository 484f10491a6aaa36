/**
 * `postmaster.pid`: who serves a data directory, as Postgres itself wrote it. After a kill -9 the file stays, and in
 * a container its number soon belongs to another process; Postgres then refuses to start for as long as that
 * process lives.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { link, readFile, readlink, realpath, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { CHILD_ENVIRONMENT } from "./run.ts";

export interface PostmasterFile {
  readonly pid: number;
  /** Empty while Postgres has not come that far. */
  readonly socketDirectory: string;
  readonly text: string;
}

const FILE = "postmaster.pid";
const SOCKET_LINE = 4;

/** Null when there is none: nobody serves this directory. */
export async function readPostmasterFile(dataDirectory: string): Promise<PostmasterFile | null> {
  const text = await readFile(join(dataDirectory, FILE), "utf8").catch(() => null);
  if (text === null) return null;
  const lines = text.split("\n");
  return { pid: Number(lines[0]), socketDirectory: lines[SOCKET_LINE]?.trim() ?? "", text };
}

/** `serving`: it lives and is a postgres of this very directory. `other`: the pid is somebody else's by now. */
export async function processState(
  pid: number,
  dataDirectory: string,
): Promise<"serving" | "gone" | "other"> {
  if (!Number.isSafeInteger(pid) || pid <= 1 || !isAlive(pid)) return "gone";
  const directory = await realpath(dataDirectory);
  if (process.platform === "linux") {
    // A postmaster works in its data directory.
    const [program, cwd] = await Promise.all([
      readFile(`/proc/${pid}/comm`, "utf8").catch(() => ""),
      readlink(`/proc/${pid}/cwd`).catch(() => ""),
    ]);
    return program.trim() === "postgres" && cwd === directory ? "serving" : "other";
  }
  const command = await commandLine(pid);
  const named = command.includes(directory) || command.includes(dataDirectory);
  return command.includes("postgres") && named ? "serving" : "other";
}

/**
 * Removes the file if it still is what was read. Taken away by rename first: if a starting Postgres wrote a new one
 * in between, that one is put back, and Postgres (which looks once a minute) never misses it.
 */
export async function removeStale(dataDirectory: string, stale: PostmasterFile): Promise<void> {
  const path = join(dataDirectory, FILE);
  const aside = join(dataDirectory, `${FILE}.stale-${randomBytes(8).toString("hex")}`);
  const taken = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!taken) return;
  const text = await readFile(aside, "utf8").catch(() => "");
  if (text !== stale.text) await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // No right to signal it means that it lives.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

function commandLine(pid: number): Promise<string> {
  return new Promise((resolve) => {
    const parameters = ["-ww", "-o", "command=", "-p", String(pid)];
    execFile("/bin/ps", parameters, { env: CHILD_ENVIRONMENT, timeout: 5_000 }, (error, stdout) =>
      resolve(error === null ? stdout : ""),
    );
  });
}
