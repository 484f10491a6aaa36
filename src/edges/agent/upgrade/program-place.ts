/**
 * Where a machine keeps the agent's program, when it came as one file: a directory of its own, which the service that
 * runs it may not write, and a small script in the user's path that starts it by the name `lockstep`.
 */
import { dirname, join } from "node:path";
import type { ProgramInOneFile } from "./program-form.ts";

export interface ProgramPlace {
  readonly directory: string;
  /** The program itself. */
  readonly file: string;
  /** Starts it; `lockstep` is its name. */
  readonly launcher: string;
}

export function placeFor(
  { runsOn }: Pick<ProgramInOneFile, "runsOn">,
  { uid, home, chosen }: { readonly uid: number; readonly home: string; readonly chosen: string | null },
): ProgramPlace {
  const root = uid === 0 ? "/usr/local" : join(home, ".local");
  const directory = chosen ?? join(root, "lib", "lockstep-agent");
  return {
    directory,
    file: join(directory, fileName(runsOn)),
    launcher: join(chosen ?? join(root, "bin"), "lockstep"),
  };
}

function fileName(runsOn: ProgramInOneFile["runsOn"]): string {
  return runsOn === "node" ? "lockstep-agent.cjs" : "lockstep-agent";
}

/** Where a program that runs was put: it knows by its own path. */
export function placeOf(
  { path, runsOn }: ProgramInOneFile,
  user: { readonly uid: number; readonly home: string },
): ProgramPlace {
  const usual = placeFor({ runsOn }, { ...user, chosen: null });
  return usual.file === path ? usual : placeFor({ runsOn }, { ...user, chosen: dirname(path) });
}
