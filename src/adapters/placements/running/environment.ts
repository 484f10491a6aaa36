/** What of a host target can be seen in the initial environment of a process. Pure. */
import type { ProcessName } from "../../../core/ports/host.ts";
import type { Activation } from "../activation/config.ts";
import { namedUnit, unitLabel } from "../activation/systemd-name.ts";
import type { FormatName } from "../formats/formats.ts";
import type { PlacedFile } from "../placement.ts";

/** Formats that some starter of processes takes over into an environment. */
const ENVIRONMENT_FORMATS: ReadonlySet<FormatName> = new Set(["systemd", "dotenv", "env-file", "shell"]);

export function canBeEnvironment(format: FormatName): boolean {
  return ENVIRONMENT_FORMATS.has(format);
}

/** Whether every key of the file is given to the process when it starts: what is missing there, it does not have. */
export function isEnvironment({ format, asEnvironment }: PlacedFile): boolean {
  return canBeEnvironment(format) && (asEnvironment ?? format === "systemd");
}

export type FoundProcess =
  | { readonly named: true; readonly process: ProcessName }
  | { readonly named: false; readonly reason: string };

/** Which process an activation leaves running, if what it holds shows in its initial environment at all. */
export function processOf({ systemd, launchd, signal, process }: Activation): FoundProcess {
  if (systemd !== undefined) {
    const named = namedUnit(systemd);
    if (named.unit.endsWith(".service"))
      return { named: true, process: { kind: named.isUser ? "systemd-user" : "systemd", unit: named.unit } };
    return { named: false, reason: `${unitLabel(named)} is no service, and has no process of its own` };
  }
  if (process !== undefined) return { named: true, process: { kind: "pid-file", path: process.pidFile } };
  if (launchd !== undefined)
    return { named: false, reason: "macOS shows nobody what a process was started with" };
  // Reading its files again, the process has new values and its first environment still the old ones.
  if (signal !== undefined)
    return { named: false, reason: "after a signal the process reads its files itself, which nobody sees" };
  return {
    named: false,
    reason: "a command names no process; add `process: { pidFile: … }` to `activate`",
  };
}

/** Whether a look can tell for every key of the target: what is claimed must be reachable. */
export function showsRunning(activate: Activation | null, files: readonly PlacedFile[]): boolean {
  return activate !== null && processOf(activate).named && files.length > 0 && files.every(isEnvironment);
}
