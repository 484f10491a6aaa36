/** Questions to a person. They go to stderr, so that stdout holds answers only. */
import { createInterface } from "node:readline/promises";
import { LockstepError } from "../../core/errors.ts";

import type { Cli } from "./cli.ts";

const INTERRUPT = "\u0003";
const END = "\u0004";

/** Reads a line without showing it. The terminal is restored whatever happens. */
export async function promptHidden({ stdin, output, interrupted }: Cli, question: string): Promise<string> {
  output.ask(question);
  stdin.setRawMode(true);
  stdin.setEncoding("utf8");
  stdin.resume();
  try {
    return await readHidden(stdin, interrupted);
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    output.ask("\n");
  }
}

function readHidden(stdin: NodeJS.ReadStream, interrupted: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    let typed = "";
    const end = (settle: () => void): void => {
      stdin.off("data", take);
      interrupted.removeEventListener("abort", abort);
      settle();
    };
    const abort = (): void =>
      end(() => reject(new LockstepError("USAGE", "Nothing was done: it was interrupted.")));
    const take = (chunk: string): void => {
      const characters = [...chunk];
      for (const [index, character] of characters.entries()) {
        if (character === "\r" || character === "\n" || character === END) {
          const rest = characters.slice(index + 1).join("");
          // What was typed ahead belongs to the next question; a flowing stream would drop it.
          stdin.pause();
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
    stdin.on("data", take);
    interrupted.addEventListener("abort", abort, { once: true });
  });
}

/** True for y or yes alone: an empty line is no. */
export async function confirm({ stdin, output, interrupted }: Cli, question: string): Promise<boolean> {
  output.ask(`${question} [y/N] `);
  const lines = createInterface({ input: stdin, terminal: false });
  try {
    const answer = await lines.question("", { signal: interrupted });
    return /^y(?:es)?$/i.test(answer.trim());
  } catch {
    return false;
  } finally {
    lines.close();
  }
}

/** True when a person sits at both ends. */
export function canAsk({ stdin, output }: Cli): boolean {
  return stdin.isTTY === true && output.asksPeople;
}
