/** Options that several commands share, in the same words everywhere. */
import { InvalidArgumentError, Option } from "commander";

export function environmentOption(): Option {
  return new Option(
    "-e, --environment <name>",
    "only in this environment; needed where a name exists in several",
  );
}

export function limitOption(fallback: number): Option {
  return new Option("--limit <count>", "show at most so many").default(fallback).argParser((text) => {
    const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
    if (limit < 1 || limit > 500) throw new InvalidArgumentError("Use a number from 1 to 500.");
    return limit;
  });
}

/** For the end of a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}
