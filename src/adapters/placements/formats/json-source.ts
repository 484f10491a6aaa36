/** A JSON text with the place of every value: enough to replace one and leave every other byte as it was. */
import { BYTE_ORDER_MARK } from "../../../lib/hidden-text.ts";
import { markedFile } from "./doubts.ts";
import { notReadable } from "./format.ts";

const NAME = "json";

export type JsonNode =
  | {
      readonly kind: "object";
      readonly start: number;
      readonly end: number;
      readonly members: readonly JsonMember[];
    }
  | { readonly kind: "other"; readonly start: number; readonly end: number };

export interface JsonMember {
  readonly key: string;
  /** Of the key's opening quote. */
  readonly start: number;
  readonly value: JsonNode;
}

export interface JsonSource {
  readonly root: JsonNode;
  /** The text with blanks in the place of its remarks: every character stands where it stood. */
  readonly bare: string;
}

const MAX_DEPTH = 200;

/**
 * JSON, and what editors' settings add to it: remarks, and a comma behind the last member. Throws TARGET_REFUSED for
 * anything else, and for an object at any depth that holds a key twice.
 */
export function parseJsonSource(text: string): JsonSource {
  if (text.startsWith(BYTE_ORDER_MARK)) throw markedFile(NAME, "JSON's readers refuse");
  const isStrict = isJson(text);
  const bare = isStrict ? text : withoutRemarks(text);
  if (!isStrict) assertJson(withoutLastCommas(bare));
  // Valid from here on: the walk need not check syntax again.
  return { root: readValue(bare, skipBlanks(bare, 0), 0), bare };
}

function assertJson(text: string): void {
  if (isJson(text)) return;
  throw notReadable(NAME, "it is not valid JSON, also where remarks and last commas are allowed");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** Texts, remarks, and single characters. An open text or remark is none: it stays, and is no JSON. */
const PIECES = /"(?:[^"\\\r\n]|\\.)*"|\/\/[^\r\n]*|\/\*[\s\S]*?(?:\*\/|$)/g;

function withoutRemarks(text: string): string {
  return text.replace(PIECES, (piece) => (isRemark(piece) ? piece.replace(/[^\r\n]/g, " ") : piece));
}

function isRemark(piece: string): boolean {
  return piece.startsWith("//") || (piece.startsWith("/*") && piece.endsWith("*/") && piece.length > 3);
}

/** `{,}` is nobody's JSON. */
function withoutLastCommas(bare: string): string {
  return bare.replace(/"(?:[^"\\\r\n]|\\.)*"|,/g, (piece, at: number) => {
    if (piece !== ",") return piece;
    const isLast = /[}\]]/.test(bare[skipBlanks(bare, at + 1)] ?? "");
    return isLast && !/[[{,:]/.test(bare[lastBefore(bare, at)] ?? "{") ? " " : piece;
  });
}

function lastBefore(text: string, from: number): number {
  let at = from - 1;
  while (/[ \t\r\n]/.test(text[at] ?? "")) at -= 1;
  return at;
}

function readValue(text: string, start: number, depth: number): JsonNode {
  if (depth > MAX_DEPTH) throw notReadable(NAME, `it is nested deeper than ${MAX_DEPTH}`);
  switch (text[start]) {
    case "{":
      return readObject(text, start, depth);
    case "[":
      return { kind: "other", start, end: endOfArray(text, start, depth) };
    case '"':
      return { kind: "other", start, end: endOfString(text, start) };
    default: {
      const length = /^[^\s,\]}]+/.exec(text.slice(start))?.[0].length ?? 0;
      return { kind: "other", start, end: start + length };
    }
  }
}

function readObject(text: string, start: number, depth: number): JsonNode {
  const members: JsonMember[] = [];
  const seen = new Set<string>();
  let at = skipBlanks(text, start + 1);
  while (text[at] !== "}") {
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    if (seen.has(key)) throw notReadable(NAME, `the key "${key}" stands there twice`);
    seen.add(key);
    const value = readValue(text, skipBlanks(text, skipBlanks(text, keyEnd) + 1), depth + 1);
    members.push({ key, start: at, value });
    at = skipBlanks(text, value.end);
    if (text[at] === ",") at = skipBlanks(text, at + 1);
  }
  return { kind: "object", start, end: at + 1, members };
}

function endOfArray(text: string, start: number, depth: number): number {
  let at = skipBlanks(text, start + 1);
  while (text[at] !== "]") {
    at = skipBlanks(text, readValue(text, at, depth + 1).end);
    if (text[at] === ",") at = skipBlanks(text, at + 1);
  }
  return at + 1;
}

function endOfString(text: string, start: number): number {
  for (let at = start + 1; ; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === '"') return at + 1;
  }
}

export function skipBlanks(text: string, from: number): number {
  let at = from;
  while (/[ \t\r\n]/.test(text[at] ?? "")) at += 1;
  return at;
}
