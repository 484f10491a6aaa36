/**
 * Puts a program that came as one file where it stays, and a script into the user's path that starts it as `lockstep`, so
 * that what pages and hints print works on this machine too.
 *
 * Promises: repeating changes nothing; a `lockstep` of somebody else's stays; nobody else may exchange what is kept.
 */
import { constants } from "node:fs";
import { access, mkdir } from "node:fs/promises";
import { delimiter, dirname } from "node:path";
import { LockstepError } from "../../../core/errors.ts";
import { shellCommand } from "../../../lib/shell-quote.ts";
import { judgePath } from "../../../lib/trusted-path.ts";
import type { ProgramInOneFile } from "./program-form.ts";
import type { ProgramPlace } from "./program-place.ts";
import { cannotWrite, digestOfFile, putFile, textOf } from "./put-file.ts";

/** A script that lacks these words is somebody else's. */
export const LAUNCHER_OF_OURS = "Written by `lockstep agent setup`";

export interface KeepOptions {
  readonly form: ProgramInOneFile;
  readonly place: ProgramPlace;
  /** Words before the program's own: node and its options; none for an executable. */
  readonly interpreter: readonly string[];
  readonly uid: number;
  /** The user's, as `PATH` says it. */
  readonly searchPath: string;
  readonly say: (line: string) => void;
}

/** Answers the words that start what is kept. Throws FILE_UNSAFE, TARGET_PERMISSION. */
export async function keepProgram(options: KeepOptions): Promise<readonly [string, ...string[]]> {
  const { form, place, interpreter, uid, say } = options;
  await makeDirectory(place.directory, uid);
  assertOnlyOurs(place.directory, uid);
  if ((await digestOfFile(form.path)) !== (await digestOfFile(place.file))) {
    say(`write ${place.file}`);
    await putFile(place.file, form.runsOn === "node" ? 0o644 : 0o755, { copyOf: form.path });
  }
  const [first = place.file, ...rest] = [...interpreter, place.file];
  const words = [first, ...rest] as const;
  await writeLauncher(options, words);
  return words;
}

async function writeLauncher(
  { place, searchPath, say }: KeepOptions,
  words: readonly string[],
): Promise<void> {
  const { launcher } = place;
  const script = `#!/bin/sh\n# ${LAUNCHER_OF_OURS}\nexec ${shellCommand(words)} "$@"\n`;
  const before = await textOf(launcher);
  if (before !== null && !before.includes(LAUNCHER_OF_OURS)) {
    say(`note: ${launcher} is another one and stays; this program is: ${shellCommand(words)}`);
    return;
  }
  if (before !== script) {
    say(`write ${launcher}`);
    await mkdir(dirname(launcher), { recursive: true, mode: 0o755 }).catch(() => {
      throw cannotWrite(launcher);
    });
    await putFile(launcher, 0o755, { text: script });
  }
  if (!searchPath.split(delimiter).includes(dirname(launcher)))
    say(`note: ${dirname(launcher)} is not in your PATH; by its whole name it is ${launcher}`);
}

async function makeDirectory(directory: string, uid: number): Promise<void> {
  await mkdir(directory, { recursive: true, mode: uid === 0 ? 0o755 : 0o700 }).catch(() => undefined);
  await access(directory, constants.W_OK).catch(() => {
    throw cannotWrite(directory);
  });
}

/** Who may exchange the program runs as who runs it. Throws FILE_UNSAFE. */
export function assertOnlyOurs(directory: string, uid: number): void {
  const judged = judgePath(directory, { uid, sticky: true });
  if (judged.ok === true && judged.stats.isDirectory()) return;
  const why = judged.ok === false ? judged.why : "it is no directory";
  throw new LockstepError("FILE_UNSAFE", `Cannot keep the agent's program in ${directory}: ${why}.`, {
    ...(judged.ok === false ? { hint: judged.remedy } : {}),
  });
}
