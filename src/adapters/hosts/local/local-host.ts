/**
 * `Host` on this machine itself, as the user that runs us: the script of `hosts/script` in a local shell, so the rules,
 * the lock, the markers and the copies are those of hosts over SSH, to the byte.
 *
 * Each child leads a process group of its own, so that a command that must end ends with its children. It inherits
 * only the environment that it is given (HOME says where `~` is and where state lies).
 */
import { type ChildProcess, spawn } from "node:child_process";
import { LockstepError } from "../../../core/errors.ts";
import { ScriptHost } from "../script/script-host.ts";
import type { ExecOptions, ExecResult } from "../script/transport.ts";

export interface LocalHostOptions {
  /** For children: HOME and PATH at least. Pass what `childEnvironment` leaves of one's own. */
  readonly environment: Readonly<Record<string, string>>;
}

/** An agent's errors are read at the server, where "this machine" would be the wrong one. */
const LABEL = "the agent's machine";

export class LocalHost extends ScriptHost {
  constructor({ environment }: LocalHostOptions) {
    super({ label: LABEL, exec: (command, options) => execute(command, environment, options) });
  }
}

async function execute(
  command: string,
  environment: Readonly<Record<string, string>>,
  options: ExecOptions,
): Promise<ExecResult> {
  const { signal } = options;
  if (signal.aborted) throw notStarted("it was too late");
  const output = new Output(options.maxOutputBytes);
  const child = spawn("/bin/sh", ["-c", command], {
    cwd: "/",
    detached: true,
    env: { ...environment },
    stdio: ["pipe", "pipe", "pipe"],
  });
  return await new Promise<ExecResult>((resolve, reject) => {
    const finish = (end: ExecResult["end"], exitCode: number | null) => {
      signal.removeEventListener("abort", onAbort);
      resolve({ end, exitCode, ...output.taken() });
    };
    const onAbort = () => {
      if (options.killOnAbort) killGroup(child);
      // A write that has all of its data goes on to its end, as it would when a line is closed.
      for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy();
      child.unref();
      finish("aborted", null);
    };
    child.on("error", () => {
      signal.removeEventListener("abort", onAbort);
      if (child.pid === undefined) reject(notStarted("no shell could be started"));
    });
    child.on("close", (code) => finish("exited", code));
    child.stdout.on("data", output.keep("stdout"));
    child.stderr.on("data", output.keep("stderr"));
    // A program need not read what it is given.
    child.stdin.on("error", () => undefined);
    signal.addEventListener("abort", onAbort, { once: true });
    child.stdin.end(options.input);
  });
}

class Output {
  readonly #chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  #room: number;
  #truncated = false;

  constructor(maxBytes: number) {
    this.#room = maxBytes;
  }

  keep(into: "stdout" | "stderr"): (chunk: Buffer) => void {
    return (chunk) => {
      if (chunk.length > this.#room) this.#truncated = true;
      const kept = chunk.subarray(0, this.#room);
      this.#room -= kept.length;
      this.#chunks[into].push(kept);
    };
  }

  taken(): Pick<ExecResult, "stdout" | "stderr" | "truncated"> {
    const { stdout, stderr } = this.#chunks;
    return { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr), truncated: this.#truncated };
  }
}

function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, "SIGKILL");
  } catch {
    // It ended by itself meanwhile.
  }
}

function notStarted(why: string): LockstepError {
  return new LockstepError("TARGET_UNREACHABLE", `Cannot reach ${LABEL}: ${why}.`);
}
