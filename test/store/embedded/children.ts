/** Processes with an embedded Postgres, as the tests kill them; and what is left of them. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, readlink } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { childProgram } from "../../support/child-program.ts";

const SCRIPT = join(import.meta.dirname, "child.ts");

export interface Child {
  readonly process: ChildProcess;
  readonly answer: Answer;
  /** Ends it the orderly way. */
  end(): Promise<void>;
  kill(): Promise<void>;
}

interface Answer {
  readonly ready: boolean;
  readonly code?: string;
  readonly message?: string;
  readonly host?: string;
  readonly runAs?: string;
}

export async function startChild(directory: string, uid?: number): Promise<Child> {
  const child = spawn(process.execPath, [await childProgram(SCRIPT), directory], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { PATH: process.env["PATH"], TMPDIR: process.env["TMPDIR"] },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const ended = once(child, "exit");
  const [line] = (await Promise.race([
    once(createInterface({ input: child.stdout }), "line"),
    ended.then(() => ['{"ready":false,"code":"EXITED"}']),
  ])) as [string];
  return {
    process: child,
    answer: JSON.parse(line) as Answer,
    end: async () => {
      child.stdin.end();
      await ended;
    },
    kill: async () => {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

/** Pids of processes that work in, or were started for, the directory; of Linux only. */
export async function processesOf(directory: string): Promise<readonly number[]> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found: number[] = [];
  for (const pid of pids) {
    const [command, cwd] = await Promise.all([
      readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => ""),
      readlink(`/proc/${pid}/cwd`).catch(() => ""),
    ]);
    const isOurs = command.includes(directory) || cwd.startsWith(`${directory}/`);
    if (isOurs && Number(pid) !== process.pid) found.push(Number(pid));
  }
  return found.sort((left, right) => left - right);
}

export async function until(what: string, holds: () => Promise<boolean>, withinMs = 15_000): Promise<void> {
  const deadline = performance.now() + withinMs;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
    await delay(20);
  }
}
