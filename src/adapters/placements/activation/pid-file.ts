/** The process that a pid file names. */
import { LockstepError } from "../../../core/errors.ts";
import type { Host } from "../../../core/ports/host.ts";
import { lifeOf } from "./launchctl.ts";

const TIMEOUT_MS = 15_000;

/**
 * Prints the number in a pid file. Whoever may write the file or replace it chooses who gets our signal, or whom we take
 * for the restarted process: it and its directory must belong to root or to us, and be closed to others. $1: the path.
 */
const READ_PID = [
  'f=$1; case $f in "~/"*) f=$HOME/${f#??};; esac; [ -f "$f" ] || exit 3',
  'bad=$(find "$f" "${f%/*}/." -prune \\( -type l -o ! -user 0 ! -user "$(id -u)" -o -perm -020 -o -perm -002 \\) -print 2>/dev/null)',
  '[ -z "$bad" ] || exit 4',
  'IFS= read -r pid <"$f"; case $pid in ""|0*|1|*[!0-9]*) exit 5;; esac',
  'printf "%s" "$pid"',
].join("; ");

export interface PidFileProcess {
  readonly pid: string;
  /** `<pid>@<start time>`; null where no such process runs. */
  readonly life: string | null;
}

/** Null where there is no such file. Throws FILE_UNSAFE, and TARGET_REFUSED for what is no process's number. */
export async function processIn(
  host: Host,
  path: string,
  signal: AbortSignal,
): Promise<PidFileProcess | null> {
  const { exitCode, stdout } = await host.run(
    ["/bin/sh", "-c", READ_PID, "sh", path],
    { timeoutMs: TIMEOUT_MS },
    signal,
  );
  if (exitCode === 3) return null;
  if (exitCode !== 0) throw unusable(path, exitCode);
  const pid = stdout.trim();
  return { pid, life: await lifeOf(host, pid, signal) };
}

function unusable(path: string, exitCode: number | null): LockstepError {
  if (exitCode !== 4)
    return new LockstepError(
      "TARGET_REFUSED",
      `Cannot use ${path}: it does not hold the number of a process.`,
    );
  return new LockstepError(
    "FILE_UNSAFE",
    `Cannot use ${path}: it or its directory may be changed by others, or is a symbolic link.`,
    { hint: "Let the pid file and its directory belong to root or to the agent's user, closed to others." },
  );
}
