/**
 * One program at a time uses an identity: two would each write files and restart the unit. The lock is a file that
 * names its holder by process id and start, so that one left behind by a crash or a reboot does not count.
 */
import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { LockstepError } from "../../../core/errors.ts";

const LOCK_FILE = "lock";
const MAX_TRIES = 5;

/** Answers how to let go. Throws AGENT_RUNNING. */
export async function lockIdentity(directory: string): Promise<() => Promise<void>> {
  const path = join(directory, LOCK_FILE);
  const own = `${process.pid} ${await startOf(process.pid)}\n`;
  // Complete before it gets its name: nobody may find a lock without a holder.
  const prepared = join(directory, `.${LOCK_FILE}.${randomBytes(8).toString("hex")}`);
  await writeFile(prepared, own, { mode: 0o600, flag: "wx" });
  try {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      if (await linked(prepared, path)) return () => release(path, own);
      const holder = await readFile(path, "utf8").catch(() => null);
      if (holder === null) continue;
      const pid = await livingHolder(holder);
      if (pid !== null) {
        throw new LockstepError(
          "AGENT_RUNNING",
          `Another program (process ${pid}) uses the identity in ${directory}.`,
          {
            details: { pid },
          },
        );
      }
      await removeStale(path, holder);
    }
  } finally {
    await rm(prepared, { force: true });
  }
  throw new LockstepError(
    "AGENT_RUNNING",
    `Others start with the identity in ${directory} at the same time.`,
  );
}

/** The process that holds the lock; null: nobody. */
export async function lockHolder(directory: string): Promise<number | null> {
  const holder = await readFile(join(directory, LOCK_FILE), "utf8").catch(() => null);
  return holder === null ? null : livingHolder(holder);
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return false;
    throw new LockstepError("FILE_UNSAFE", `Cannot write ${to}.`);
  }
}

/** Takes away what was judged, and nothing that came meanwhile. */
async function removeStale(path: string, judged: string): Promise<void> {
  const aside = `${path}.${randomBytes(8).toString("hex")}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  if ((await readFile(aside, "utf8").catch(() => "")) !== judged)
    await link(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

async function release(path: string, own: string): Promise<void> {
  if ((await readFile(path, "utf8").catch(() => "")) === own) await rm(path, { force: true });
}

async function livingHolder(holder: string): Promise<number | null> {
  const [pid = "", ...start] = holder.trim().split(" ");
  if (!/^\d{1,10}$/.test(pid)) return null;
  const now = await startOf(Number(pid));
  return now !== "" && now === start.join(" ") ? Number(pid) : null;
}

/** What tells one life of a process id from another; empty: there is no such process. */
export async function startOf(pid: number): Promise<string> {
  if (process.platform === "linux") {
    try {
      const [stat, boot] = await Promise.all([
        readFile(`/proc/${pid}/stat`, "utf8"),
        readFile("/proc/sys/kernel/random/boot_id", "utf8"),
      ]);
      // The name in parentheses may hold anything; the start is the 20th field after it.
      const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
      return `${boot.trim()} ${ticks}`;
    } catch {
      return "";
    }
  }
  try {
    const { stdout } = await promisify(execFile)("/bin/ps", ["-o", "lstart=", "-p", String(pid)], {
      env: { LC_ALL: "C" },
    });
    return stdout.trim().replaceAll(/\s+/g, " ");
  } catch {
    return "";
  }
}
