/** Where something stands in a configuration file, and how it is told: `lockstep.yaml:12:7 secret API_KEY, role: …`. */
import type { ConfigPath, ConfigProblem } from "../../../protocol/config-problem.ts";

export interface Location {
  readonly file: string;
  /** Both begin at 1. */
  readonly line: number;
  readonly column: number;
}

export interface LocatedProblem extends ConfigProblem, Location {
  /** The path in words. */
  readonly where: string;
}

export function locateProblem(problem: ConfigProblem, location: Location): LocatedProblem {
  return { ...problem, ...location, where: pathInWords(problem.path) };
}

export function formatProblem(problem: LocatedProblem): string {
  const place = `${problem.file}:${problem.line}:${problem.column}`;
  return `${place} ${problem.where} ${problem.message}. ${problem.remedy}`;
}

const COLLECTIONS: Readonly<Record<string, string>> = {
  environments: "environment",
  secrets: "secret",
  targets: "target",
  fields: "field",
};

const LISTS: Readonly<Record<string, string>> = { bindings: "binding", files: "file" };

/** `environment production, secret API_KEY, binding 2, role`. Keys lose control characters: they reach a terminal. */
function pathInWords(path: ConfigPath): string {
  const words: string[] = [];
  for (let index = 0; index < path.length; index += 1) {
    const part = path[index];
    const next = path[index + 1];
    const collection =
      typeof part === "string" && words.length < MAX_COLLECTION_WORDS ? COLLECTIONS[part] : undefined;
    const list = typeof part === "string" ? LISTS[part] : undefined;
    if (collection !== undefined && typeof next === "string") {
      words.push(`${collection} ${printable(next)}`);
      index += 1;
    } else if (typeof next === "number") {
      words.push(`${list ?? `${printable(String(part))}, entry`} ${next + 1}`);
      index += 1;
    } else {
      words.push(printable(String(part)));
    }
  }
  return words.length === 0 ? "the file" : words.join(", ");
}

/** environment, secret, field: deeper down such a key is somebody's own. */
const MAX_COLLECTION_WORDS = 3;

function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "?").slice(0, 200);
}
