/** Two values out of a text. Pure. The dialects are those that Lockstep writes. */
import type { SlotNames, Values } from "./values.ts";

/** An assignment as dotenv 16 and 17 recognise it (their LINE expression). */
const LINE =
  /^[ \t]*(?:export[ \t]+)?([\w.-]+)(?:[ \t]*=[ \t]*?|:[ \t]+?)([ \t]*'(?:\\'|[^'])*'|[ \t]*"(?:\\"|[^"])*"|[ \t]*`(?:\\`|[^`])*`|[^#\r\n]+)?[ \t]*(?:#[^\r\n]*)?$/gm;

/** Of files that shells source too: lines that change no variable. */
const HARMLESS = /^[ \t]*(?:#.*|export(?:[ \t]+[A-Za-z_]\w*)+[ \t]*(?:#.*)?|set[ \t]+[-+][\w \t]*)?$/;

/** A value without quotes that is rather the first line of a longer text. `line`: the one that says so, from 1. */
export interface CutValue {
  readonly name: string;
  readonly line: number;
}

/**
 * As dotenv reads it: the last assignment wins, nothing is expanded but line ends in double quotes. A key of many lines
 * that somebody pasted without quotes is no value: dotenv itself would take its first line.
 */
export function parseDotenv(written: string, names: SlotNames): Partial<Values> | CutValue {
  const text = written.replace(/^\uFEFF/, "");
  const found = new Map([...text.matchAll(LINE)].map((match) => [match[1] ?? "", match]));
  for (const name of [names.primary, names.fallback]) {
    const match = found.get(name);
    const at = match === undefined ? null : cutAt(text, match);
    if (at !== null) return { name, line: text.slice(0, at).split(/\r\n?|\n/).length };
  }
  const taken = (name: string) => {
    const match = found.get(name);
    return match === undefined ? undefined : unquote((match[2] ?? "").trim());
  };
  return { primary: taken(names.primary), fallback: taken(names.fallback) };
}

/** Where it is seen that the value of this assignment goes on behind its line; null: it does not. */
function cutAt(text: string, { 0: line, 2: raw = "", index }: RegExpExecArray): number | null {
  const value = raw.trim();
  if (/^(['"`])[\s\S]*\1$/.test(value)) return null;
  if (/-{4,5} ?BEGIN /.test(value) && !/-{4,5} ?END /.test(value)) return index;
  const byColon = /^[ \t]*(?:export[ \t]+)?[\w.-]+:/.test(line);
  let at = index + line.length;
  for (const next of text.slice(at).split(/(?<=\r\n|\r(?!\n)|\n)/)) {
    const written = next.replace(/[\r\n]+$/, "");
    if (at > index + line.length && !HARMLESS.test(written)) {
      const [, sign] = /^[ \t]*(?:export[ \t]+)?[\w.-]+(?:[ \t]*(=)|(:)[ \t]+)/.exec(written) ?? [null, null];
      if (sign === null || (sign === undefined && !byColon) || isBase64Tail(written.trim(), value)) return at;
      return null;
    }
    at += next.length;
  }
  return null;
}

/** `==` is never the beginning of a value; one `=` may end base64 that was wrapped as programs wrap it. */
function isBase64Tail(line: string, valueAbove: string): boolean {
  if (/^[A-Za-z0-9+/_-]{2,}==$/.test(line)) return true;
  const fits = line.length % 4 === 0 && line.length <= valueAbove.length && !/^[A-Z0-9]{7,}=$/.test(line);
  const isWrapped = [48, 60, 64, 72, 76].includes(valueAbove.length) && /^[A-Za-z0-9+/_-]+$/.test(valueAbove);
  return fits && isWrapped && !/^[0-9a-f]+$/i.test(valueAbove) && /^[A-Za-z0-9+/_-]{3,}=$/.test(line);
}

function unquote(raw: string): string {
  const inner = raw.replace(/^(['"`])([\s\S]*)\1$/, "$2");
  return raw.startsWith('"') ? inner.replaceAll("\\n", "\n").replaceAll("\\r", "\r") : inner;
}

/** `null` when the text is not JSON: the parser's own error would hold a piece of it. */
export function parseJson(text: string, names: SlotNames): Partial<Values> | null {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return null;
  }
  return { primary: textAt(root, names.primary), fallback: textAt(root, names.fallback) };
}

function textAt(root: unknown, name: string): string | undefined {
  let node = root;
  for (const step of stepsOf(name)) {
    if (typeof node !== "object" || node === null || !Object.hasOwn(node, step)) return undefined;
    node = (node as Readonly<Record<string, unknown>>)[step];
  }
  return typeof node === "string" ? node : undefined;
}

function stepsOf(name: string): readonly string[] {
  if (!name.startsWith("/")) return name.split(".");
  const steps = name.slice(1).split("/");
  return steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}
