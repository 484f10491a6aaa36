/**
 * Questions to a person. They go to stderr, so that stdout holds answers only. What was typed ahead belongs to the
 * next question, also across questions with and without echo.
 */
import { LockstepError } from "../../core/errors.ts";

import type { Cli } from "./cli.ts";

const INTERRUPT = "\u0003";
const END = "\u0004";

/** Reads a line without showing it. The terminal is restored whatever happens. */
export async function promptHidden({ stdin, output, interrupted }: Cli, question: string): Promise<string> {
  output.ask(question);
  stdin.setRawMode(true);
  try {
    return await readLine(stdin, interrupted);
  } finally {
    stdin.setRawMode(false);
    output.ask("\n");
  }
}

/** Reads a line that the terminal shows, and lets be edited. */
export async function promptLine({ stdin, output, interrupted }: Cli, question: string): Promise<string> {
  output.ask(question);
  try {
    return await readLine(stdin, interrupted);
  } catch (error) {
    // The cursor still stands behind the question.
    output.ask("\n");
    throw error;
  }
}

/** True for y or yes alone: an empty line is no, and so is being interrupted. */
export async function confirm(cli: Cli, question: string): Promise<boolean> {
  try {
    return /^y(?:es)?$/i.test((await promptLine(cli, `${question} [y/N] `)).trim());
  } catch {
    return false;
  }
}

/** True when a person sits at both ends. */
export function canAsk({ stdin, output }: Cli): boolean {
  return stdin.isTTY === true && output.asksPeople;
}

/** Throws INTERRUPTED when it is interrupted or the terminal goes away. */
function readLine(stdin: NodeJS.ReadStream, interrupted: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed = "";
    const end = (settle: () => void): void => {
      stdin.off("data", take);
      stdin.off("end", abort);
      interrupted.removeEventListener("abort", abort);
      // A flowing stream would drop what comes before the next question.
      stdin.pause();
      settle();
    };
    const abort = (): void =>
      end(() => reject(new LockstepError("INTERRUPTED", "Nothing was done: it was interrupted.")));
    const take = (chunk: string): void => {
      const characters = [...chunk];
      for (const [index, character] of characters.entries()) {
        if (character === "\r" || character === "\n" || character === END) {
          const rest = characters.slice(index + 1).join("");
          end(() => resolve(typed));
          if (rest !== "") stdin.unshift(rest, "utf8");
          return;
        }
        if (character === INTERRUPT) {
          abort();
          return;
        }
        typed =
          character === "\u007f" || character === "\b" ? [...typed].slice(0, -1).join("") : typed + character;
      }
    };
    if (interrupted.aborted || stdin.readableEnded) {
      abort();
      return;
    }
    stdin.setEncoding("utf8");
    stdin.on("data", take);
    stdin.once("end", abort);
    interrupted.addEventListener("abort", abort, { once: true });
    stdin.resume();
  });
}
