/**
 * What a command reads by a person's word: a file, a pipe such as `<(…)`, or with `-` the standard input. Bounded, and
 * ended by Ctrl-C at once; who waits for a person's typing says so.
 */
import { resolve } from "node:path";
import { LockstepError } from "../../core/errors.ts";
import { readStream, readUserFile, UnreadableFile } from "../../lib/user-file.ts";
import type { Cli } from "./cli.ts";

export interface UserInput {
  /** Relative to where the command was started. Throws UnreadableFile; INTERRUPTED. */
  read(path: string, maxBytes: number): Promise<Buffer>;
}

/** Opening one of these anew fails where the standard input is a socket, and would be a second reader. */
const STANDARD_INPUT = ["-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];

export function userInput({ stdin, surroundings, output, interrupted }: Cli): UserInput {
  return {
    read: async (path, maxBytes) => {
      try {
        if (!STANDARD_INPUT.includes(path)) {
          return await readUserFile(resolve(surroundings.workingDirectory, path), { maxBytes }, interrupted);
        }
        if (stdin.isTTY) output.note("Waiting for standard input; end it with Ctrl-D on a line of its own.");
        return await readStream(stdin, { maxBytes }, interrupted);
      } catch (error) {
        throw asInterrupted(error) ?? error;
      }
    },
  };
}

/** Without a person at a terminal: files alone. */
export function filesOf(workingDirectory: string): UserInput {
  return { read: (path, maxBytes) => readUserFile(resolve(workingDirectory, path), { maxBytes }) };
}

/** Null: something else than an interruption. */
function asInterrupted(error: unknown): LockstepError | null {
  return error instanceof UnreadableFile && error.trouble === "interrupted"
    ? new LockstepError("INTERRUPTED", "Nothing was done: it was interrupted.")
    : null;
}
