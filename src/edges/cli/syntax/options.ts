/** Options that several commands share, in the same words everywhere. */
import { InvalidArgumentError, Option } from "commander";

export function environmentOption(): Option {
  return new Option(
    "-e, --environment <environment>",
    "only in this environment; needed if a name exists in several",
  );
}

export function limitOption(fallback: number): Option {
  return new Option("--limit <count>", "show at most this many").default(fallback).argParser((text) => {
    const limit = /^\d{1,3}$/.test(text) ? Number(text) : 0;
    if (limit < 1 || limit > 500) throw new InvalidArgumentError("Use a number from 1 to 500.");
    return limit;
  });
}

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** In ms. */
export function parseDuration(text: string): number {
  const [, count = "", unit = ""] = /^([1-9]\d{0,4})([smhd])$/.exec(text) ?? [];
  if (unit === "s" || unit === "m" || unit === "h" || unit === "d") return Number(count) * UNIT_MS[unit];
  throw new InvalidArgumentError("Use for example 30s, 15m, 12h or 90d.");
}

export function durationOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser(parseDuration);
}

export function portOption(description: string, lowest = 1): Option {
  return new Option("--port <number>", description).argParser((text) => parsePort(text, lowest));
}

export function parsePort(text: string, lowest = 1): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : -1;
  if (port >= lowest && port <= 65_535) return port;
  throw new InvalidArgumentError(`Use a number from ${lowest} to 65535.`);
}

/** For the end of a command's help. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

/** Of a list whose end was not reached: what the note below it printed. */
export function afterOption(): Option {
  return new Option("--after <cursor>", "go on where an earlier list ended: its `next` with --json");
}
