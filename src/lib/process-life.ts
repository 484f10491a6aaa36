/**
 * Which life of a process: a number alone may be another process's later, and after a reboot numbers and ticks begin
 * anew. Linux: proc(5), field 22 of /proc/<pid>/stat, in clock ticks since boot. macOS: ps(1) and the boot session.
 */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { promisify } from "node:util";

export type ProcessLife = {
  readonly bootId: string;
  readonly pid: number;
  /** Ticks since boot on Linux, seconds since 1970 elsewhere. */
  readonly startedAt: number;
};

/** Null when it has ended, or the system does not say. */
export async function lifeOfProcess(pid: number): Promise<ProcessLife | null> {
  try {
    return process.platform === "linux" ? await onLinux(pid) : await elsewhere(pid);
  } catch {
    return null;
  }
}

/** As it stands in files that name a process: number, start of the machine, start of the process. */
export function lifeAsText({ pid, bootId, startedAt }: ProcessLife): string {
  return `${pid} ${bootId} ${startedAt}`;
}

/** Whether the process that such a text names lives, and is not another one under its number. Answers its number. */
export async function livingProcessIn(text: string): Promise<number | null> {
  const pid = /^([1-9][0-9]{0,9}) /.exec(text)?.[1];
  if (pid === undefined) return null;
  const life = await lifeOfProcess(Number(pid));
  return life !== null && lifeAsText(life) === text.trim() ? life.pid : null;
}

async function onLinux(pid: number): Promise<ProcessLife | null> {
  // Where a unit is shown no more of /proc than processes, starts are compared by their ticks alone.
  const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8").catch(() => "");
  const bootId = boot.trim() === "" ? "unknown" : boot.trim();
  const startedAt = startTicks(await readFile(`/proc/${pid}/stat`, "utf8"));
  return startedAt === null ? null : { bootId, pid, startedAt };
}

/** The second field is the program's name in parentheses, and may hold blanks and parentheses itself. */
export function startTicks(stat: string): number | null {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = fields[22 - 3];
  return ticks !== undefined && /^[0-9]+$/.test(ticks) ? Number(ticks) : null;
}

async function elsewhere(pid: number): Promise<ProcessLife | null> {
  const run = promisify(execFile);
  const env = { PATH: "/usr/bin:/bin:/usr/sbin:/sbin", LC_ALL: "C", TZ: "UTC" };
  const [boot, started] = await Promise.all([
    run("sysctl", ["-n", "kern.bootsessionuuid"], { env }),
    run("ps", ["-o", "lstart=", "-p", String(pid)], { env }),
  ]);
  const seconds = Date.parse(`${started.stdout.trim()} UTC`) / 1_000;
  return Number.isFinite(seconds) ? { bootId: boot.stdout.trim(), pid, startedAt: seconds } : null;
}
