/**
 * Runs a program on the server's own machine that prints a token. Off unless a file on that machine, which nothing can
 * reach over the API, lists the program: who may change lockstep.yaml does not choose what runs here. No shell, no
 * environment.
 */
import { spawn } from "node:child_process";
import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import type { Issuer } from "../../../core/ports/issuer.ts";
import { judgePath, judgeProgram } from "../../../lib/trusted-path.ts";
import { withDeadline } from "../../../lib/with-deadline.ts";
import type { CommandIssue } from "../../../protocol/issue.ts";
import { readOutput } from "./read-output.ts";

/** The absolute paths that may be run; null: no file allows any. Read anew each time. */
export type AllowedCommands = () => Promise<readonly string[] | null>;

const MAX_OUTPUT_BYTES = 262_144;
const MAX_LIST_BYTES = 65_536;
const KILL_AFTER_MS = 2_000;

const specOf = (config: JsonObject) => config as unknown as CommandIssue;

export function createCommandIssuer(allowed: AllowedCommands): Issuer {
  return {
    kind: "command",
    inputs: () => [],
    origin: () => null,
    singleUse: () => null,
    async issue({ config, hide }, signal) {
      const { run, life, timeoutSeconds } = specOf(config);
      const [program = "", ...words] = run;
      const list = await allowed();
      if (list === null || !program.startsWith("/") || !list.includes(program)) {
        throw new LockstepError(
          "ISSUER_REFUSED",
          `Cannot run ${program}: this machine's list does not name it.`,
          {
            hint: "On the server's machine, add its absolute path to the file that LOCKSTEP_COMMANDS_FILE names.",
          },
        );
      }
      // Right before the start: what was right when it was listed may be anybody's by now.
      const real = trusted(program);
      const output = await withDeadline(signal, timeoutSeconds * 1_000, (limited) =>
        outputOf({ program, real }, words, limited, timeoutSeconds),
      );
      const issued = readOutput(program, output, life);
      hide(issued.value);
      return issued;
    },
  };
}

/** Where it really stands. Throws ISSUER_REFUSED, with the remedy, for what others could have put there. */
function trusted(program: string): string {
  const judged = judgeProgram(program, { uid: self(), sticky: false });
  if (judged.ok === true) return judged.path;
  throw new LockstepError(
    "ISSUER_REFUSED",
    `Cannot run ${program}: ${judged.ok === null ? "there is no such file" : judged.why}.`,
    { hint: judged.ok === null ? "Install it, or list another." : judged.remedy },
  );
}

/**
 * One absolute path per line; `#` begins a remark. The file, and each directory above it, belongs to root or to this
 * user, who alone may write it: throws ISSUER_REFUSED with the remedy otherwise.
 */
export function commandsIn(file: string | null): AllowedCommands {
  return async () => {
    if (file === null) return null;
    const judged = judgePath(file, { uid: self(), sticky: false });
    if (judged.ok === false) {
      throw new LockstepError("ISSUER_REFUSED", `Cannot trust the list of programs ${file}: ${judged.why}.`, {
        hint: judged.remedy,
      });
    }
    try {
      const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
      try {
        const { uid, mode, size } = await handle.stat();
        if ((uid !== 0 && uid !== self()) || (mode & 0o022) !== 0 || size > MAX_LIST_BYTES) return null;
        const text = await handle.readFile("utf8");
        return text
          .split("\n")
          .map((line) => line.trim())
          .filter((line) => line.startsWith("/"));
      } finally {
        await handle.close();
      }
    } catch {
      return null;
    }
  };
}

function self(): number {
  return process.geteuid?.() ?? 0;
}

function outputOf(
  { program, real }: { readonly program: string; readonly real: string },
  words: readonly string[],
  signal: AbortSignal,
  timeoutSeconds: number,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn(real, words, {
      // Programs that are several under one file know by this which one is meant.
      argv0: program,
      cwd: "/",
      env: {},
      stdio: ["ignore", "pipe", "ignore"],
      detached: true,
    });
    const chunks: Buffer[] = [];
    let bytes = 0;
    let why: string | null = null;
    const end = (reason: string): void => {
      why ??= reason;
      kill(child.pid, "SIGTERM");
      setTimeout(() => kill(child.pid, "SIGKILL"), KILL_AFTER_MS).unref();
    };
    const onAbort = () => end(`it did not end within ${timeoutSeconds} s`);
    signal.addEventListener("abort", onAbort, { once: true });
    child.stdout.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes > MAX_OUTPUT_BYTES) end("it prints more than any token is");
      else chunks.push(chunk);
    });
    child.once("error", () => reject(failed(program, "it could not be started")));
    child.once("close", (code) => {
      signal.removeEventListener("abort", onAbort);
      if (why !== null) reject(failed(program, why));
      else if (code !== 0)
        reject(failed(program, code === null ? "it was ended by a signal" : `it ended with ${code}`));
      else resolve(Buffer.concat(chunks));
    });
  });
}

/** It and what it started. */
function kill(pid: number | undefined, name: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, name);
  } catch {
    // It has ended.
  }
}

function failed(program: string, why: string): LockstepError {
  return new LockstepError("ISSUER_UNAVAILABLE", `Cannot get a token from ${program}: ${why}.`);
}
