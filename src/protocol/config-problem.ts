/**
 * What is wrong with a configuration: where, in words, and what to do about it. Spoken between server and CLI; the CLI
 * adds file, line and column. Never holds a value of the configuration, because a value may be a credential: only
 * keys, names and what would be allowed.
 */
import type { z } from "zod";

/** For example ["environments", "production", "secrets", "API_KEY", "bindings", 0, "role"]. */
export type ConfigPath = readonly (string | number)[];

export interface ConfigProblem {
  readonly path: ConfigPath;
  readonly message: string;
  readonly remedy: string;
}

/** Stands between message and remedy inside zod's one text; no key or name may hold it. */
const REMEDY_MARK = "\u001f";

/** A text for zod that carries its remedy. */
export function say(message: string, remedy: string): string {
  return `${message}${REMEDY_MARK}${remedy}`;
}

/** For `safeParse(input, { error: wordIssue })`: what a schema has no words of its own for. */
export function wordIssue(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type": {
      const expected = TYPE_WORDS[issue.expected] ?? issue.expected;
      if (issue.input === undefined) return say("is missing", `Give ${expected}.`);
      if (issue.input === null) return say("is empty", `Give ${expected}, or leave the key out.`);
      const quoting =
        issue.expected === "string" && typeof issue.input !== "object" ? " Put it in quotes." : "";
      return say(`must be ${expected}, not ${typeWord(issue.input)}`, `Give ${expected}.${quoting}`);
    }
    case "invalid_value": {
      const allowed = issue.values.map((value) => String(value));
      if (issue.input === undefined) return say("is missing", `Choose ${listed(allowed, "or")}.`);
      const near = typeof issue.input === "string" ? didYouMean(issue.input, allowed) : null;
      return say(`must be ${listed(allowed, "or")}`, near ?? `Choose ${listed(allowed, "or")}.`);
    }
    case "too_small":
      return say(`is too small or too short (at least ${issue.minimum})`, "Give more.");
    case "too_big":
      return say(`is too large or too long (at most ${issue.maximum})`, "Give less.");
    default:
      return say("is not allowed here", "See the reference of lockstep.yaml.");
  }
}

/** The `error` of a strict object: one line per unknown key, each with its remedy. */
export function wordUnknownKeys(
  known: readonly string[],
): (issue: z.core.$ZodRawIssue) => string | undefined {
  return (issue) => {
    if (issue.code !== "unrecognized_keys") return undefined;
    return issue.keys
      .map((key) =>
        say("is not a known key", didYouMean(key, known) ?? `Remove it; known here: ${known.join(", ")}.`),
      )
      .join("\n");
  };
}

export function problemsOf(issues: readonly z.core.$ZodIssue[]): readonly ConfigProblem[] {
  return issues.flatMap((issue): ConfigProblem[] => {
    const path = issue.path.map((part) => (typeof part === "number" ? part : String(part)));
    if (issue.code === "unrecognized_keys") {
      const texts = issue.message.split("\n");
      return issue.keys.map((key, index) => problem([...path, key], texts[index] ?? ""));
    }
    if (issue.code === "invalid_key") return [problem(path, issue.issues[0]?.message ?? "")];
    return [problem(path, issue.message)];
  });
}

function problem(path: ConfigPath, text: string): ConfigProblem {
  const [message = "", remedy = "Correct it."] = text.split(REMEDY_MARK);
  return { path, message, remedy };
}

/** `Did you mean "bindings"?`, or null when nothing is near. */
export function didYouMean(given: string, known: readonly string[]): string | null {
  let best: { readonly name: string; readonly distance: number } | null = null;
  for (const name of known) {
    const distance = editDistance(given.toLowerCase(), name.toLowerCase());
    if (distance <= Math.max(1, Math.floor(name.length / 3)) && distance < (best?.distance ?? Infinity)) {
      best = { name, distance };
    }
  }
  return best === null ? null : `Did you mean "${best.name}"?`;
}

const MAX_COMPARED_LENGTH = 64;

function editDistance(left: string, right: string): number {
  if (left.length > MAX_COMPARED_LENGTH || right.length > MAX_COMPARED_LENGTH) return Infinity;
  let row = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let i = 1; i <= left.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= right.length; j += 1) {
      const substitution = (row[j - 1] ?? 0) + (left[i - 1] === right[j - 1] ? 0 : 1);
      next.push(Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, substitution));
    }
    row = next;
  }
  return row[right.length] ?? 0;
}

const TYPE_WORDS: Readonly<Record<string, string>> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping of keys",
  record: "a mapping of names",
};

function typeWord(input: unknown): string {
  if (Array.isArray(input)) return "a list";
  return TYPE_WORDS[typeof input] ?? typeof input;
}

export function listed(words: readonly string[], conjunction: "and" | "or"): string {
  if (words.length <= 1) return words.join("");
  return `${words.slice(0, -1).join(", ")} ${conjunction} ${words.at(-1)}`;
}
