/**
 * The demo's guard, a process of its own: whatever ends the demo, kill -9 included, it ends what the demo started and
 * removes the demo's directory. The kernel closes its stdin then; the demo closes it too when it has cleaned up, so
 * both ways are the same one.
 *
 * stdin: JSON lines, `{"directory"}` to remove at the end, `{"pid"}` of a process (group) to end, `{"ended"}` when it
 * has ended already, `{"pidFile"}` of one that somebody else starts. stdout, at the end: `{"found": n}`, how many
 * still lived.
 */
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

const GRACE_MS = 15_000;
const POLL_MS = 50;
const MAX_REMOVALS = 100;

const pids = new Set<number>();
const pidFiles = new Set<string>();
const directories = new Set<string>();

// A terminal that closes, or its Ctrl-C, is the demo's matter.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => undefined);

for await (const line of createInterface({ input: process.stdin })) {
  const said = JSON.parse(line) as {
    readonly pid?: number;
    readonly ended?: number;
    readonly pidFile?: string;
    readonly directory?: string;
  };
  if (said.pid !== undefined) pids.add(said.pid);
  if (said.ended !== undefined) pids.delete(said.ended);
  if (said.pidFile !== undefined) pidFiles.add(said.pidFile);
  if (said.directory !== undefined) directories.add(said.directory);
}
for (const file of pidFiles) {
  const pid = pidIn(file);
  if (pid !== null) pids.add(pid);
}

const found = [...pids].filter(isAlive);
for (const pid of found) send(pid, "SIGTERM");
const deadline = Date.now() + GRACE_MS;
while (found.some(isAlive) && Date.now() < deadline) await delay(POLL_MS);
for (const pid of found) send(pid, "SIGKILL");
for (const directory of directories) await remove(directory);
// Nobody may be left to read it.
process.stdout.on("error", () => undefined);
process.stdout.write(`${JSON.stringify({ found: found.length })}\n`);

/** In containers nobody may reap a process that has ended; it still answers to signals then. */
function isAlive(pid: number): boolean {
  if (!send(pid, 0)) return false;
  try {
    return !/^\d+ \(.*\) Z /s.test(readFileSync(`/proc/${pid}/stat`, "latin1"));
  } catch {
    return true;
  }
}

/** To the whole group where the process leads one. False: it is gone. */
function send(pid: number, signal: NodeJS.Signals | 0): boolean {
  for (const receiver of [-pid, pid]) {
    try {
      process.kill(receiver, signal);
      return true;
    } catch {
      // No such group, or no such process.
    }
  }
  return false;
}

function pidIn(file: string): number | null {
  try {
    const text = readFileSync(file, "utf8").trim();
    return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : null;
  } catch {
    return null;
  }
}

/** What was killed may still write for a moment: Postgres ends itself when its Lockstep is gone. */
async function remove(directory: string): Promise<void> {
  for (let tries = 0; tries < MAX_REMOVALS; tries += 1) {
    try {
      return await rm(directory, { recursive: true, force: true });
    } catch {
      await delay(POLL_MS);
    }
  }
}
