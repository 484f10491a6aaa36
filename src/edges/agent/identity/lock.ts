/**
 * One program at a time uses an identity: two would each write files and restart the unit. The lock is a file that
 * names its holder by process id, its start and the machine's, so that one left behind by a crash or a reboot does not
 * count.
 */
import { randomBytes } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import { lifeAsText, lifeOfProcess, livingProcessIn } from "../../../lib/process-life.ts";

const LOCK_FILE = "lock";
const MAX_TRIES = 5;

/** Answers how to let go. `what`: the thing that is locked there, for messages. Throws AGENT_RUNNING. */
export async function lockIdentity(
  directory: string,
  what = `the identity in ${directory}`,
): Promise<() => Promise<void>> {
  const path = join(directory, LOCK_FILE);
  const life = await lifeOfProcess(process.pid);
  if (life === null) {
    throw new LockstepError(
      "UNSUPPORTED",
      "Cannot run: the system does not tell when this process started.",
      {
        hint: "Let it read /proc (Linux) or run ps and sysctl (macOS).",
      },
    );
  }
  const own = `${lifeAsText(life)}\n`;
  // Complete before it gets its name: nobody may find a lock without a holder.
  const prepared = join(directory, `.${LOCK_FILE}.${randomBytes(8).toString("hex")}`);
  await writeFile(prepared, own, { mode: 0o600, flag: "wx" });
  try {
    for (let tries = 0; tries < MAX_TRIES; tries += 1) {
      if (await linked(prepared, path)) return () => release(path, own);
      const holder = await readFile(path, "utf8").catch(() => null);
      if (holder === null) continue;
      const pid = await livingProcessIn(holder);
      if (pid !== null) {
        throw new LockstepError("AGENT_RUNNING", `Another program (process ${pid}) uses ${what}.`, {
          details: { pid },
        });
      }
      await removeStale(path, holder);
    }
  } finally {
    await rm(prepared, { force: true });
  }
  throw new LockstepError("AGENT_RUNNING", `Others start with ${what} at the same time.`);
}

/** The process that holds the lock; null: nobody. */
export async function lockHolder(directory: string): Promise<number | null> {
  const holder = await readFile(join(directory, LOCK_FILE), "utf8").catch(() => null);
  return holder === null ? null : livingProcessIn(holder);
}

/** As `lifeAsText` says it; null: nobody holds the lock. */
export async function lifeOfHolder(directory: string): Promise<string | null> {
  const pid = await lockHolder(directory);
  const life = pid === null ? null : await lifeOfProcess(pid);
  return life === null ? null : lifeAsText(life);
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
