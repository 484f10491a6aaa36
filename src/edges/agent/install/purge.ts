/**
 * Takes away what an agent left on its machine: identity, cache, records, policy, and a program that came as one file.
 *
 * Promises: only files that are known to be ours go, and directories that are empty then; values stay where services
 * read them; nothing goes while a program still uses the identity.
 */
import { readdir, rm, rmdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { shellCommand } from "../../../lib/shell-quote.ts";
import { lockIdentity } from "../identity/lock.ts";
import { LAUNCHER_OF_OURS } from "../upgrade/keep-program.ts";
import type { ProgramPlace } from "../upgrade/program-place.ts";
import { cannotWrite, isDraft, textOf } from "../upgrade/put-file.ts";

export interface PurgeOptions {
  readonly stateDirectory: string;
  readonly policyFile: string;
  /** Null: the program was installed by something else, which takes it away too. */
  readonly place: ProgramPlace | null;
  readonly home: string;
  readonly say: (line: string) => void;
}

/** `agent.log` is where launchd writes. */
const STATE = /^(?:identity|enrolling|record|bundle|reporting)\.json$|^agent\.log$/;

/** Repeating is harmless. Throws AGENT_RUNNING, TARGET_PERMISSION. */
export async function purgeAgent({
  stateDirectory,
  policyFile,
  place,
  home,
  say,
}: PurgeOptions): Promise<void> {
  if ((await namesIn(stateDirectory)).length > 0) {
    const release = await lockIdentity(stateDirectory);
    try {
      const ours = (await namesIn(stateDirectory)).filter((name) => STATE.test(name));
      for (const name of ours) await remove(join(stateDirectory, name), say);
    } finally {
      await release();
    }
  }
  await removeIfEmpty(stateDirectory, say);
  await remove(policyFile, say);
  await removeIfEmpty(dirname(policyFile), say);
  if (place !== null) await purgeProgram(place, say);
  const marks = join(home, ".lockstep");
  if ((await namesIn(marks)).length === 0) await removeIfEmpty(marks, say);
  else
    say(
      `note: ${marks} stays: a target over SSH may use it too. Where none does: ${shellCommand(["rm", "-r", marks])}`,
    );
}

async function purgeProgram(
  { directory, file, launcher }: ProgramPlace,
  say: PurgeOptions["say"],
): Promise<void> {
  if ((await textOf(launcher))?.includes(LAUNCHER_OF_OURS) === true) await remove(launcher, say);
  const own = [basename(file), `${basename(file)}.before`, "lock"];
  for (const name of await namesIn(directory))
    if (own.includes(name) || isDraft(name)) await remove(join(directory, name), say);
  await removeIfEmpty(directory, say);
}

async function namesIn(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch(() => []);
}

async function remove(path: string, say: PurgeOptions["say"]): Promise<void> {
  try {
    await rm(path);
    say(`remove ${path}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw cannotWrite(path);
  }
}

async function removeIfEmpty(directory: string, say: PurgeOptions["say"]): Promise<void> {
  await rmdir(directory).then(
    () => say(`remove ${directory}`),
    () => undefined,
  );
}
