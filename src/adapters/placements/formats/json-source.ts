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

/** Throws TARGET_REFUSED for text that JSON.parse refuses, and for an object that holds a key twice. */
export function parseJsonSource(text: string): JsonNode {
  try {
    JSON.parse(text);
  } catch {
    throw text.startsWith(BYTE_ORDER_MARK)
      ? markedFile(NAME, "JSON's readers refuse")
      : notReadable(NAME, "it is not valid JSON");
  }
  // Valid from here on: the walk need not check syntax again.
  return readValue(text, skipBlanks(text, 0));
}

function readValue(text: string, start: number): JsonNode {
  switch (text[start]) {
    case "{":
      return readObject(text, start);
    case "[":
      return { kind: "other", start, end: endOfArray(text, start) };
    case '"':
      return { kind: "other", start, end: endOfString(text, start) };
    default: {
      const length = /^[^\s,\]}]+/.exec(text.slice(start))?.[0].length ?? 0;
      return { kind: "other", start, end: start + length };
    }
  }
}

function readObject(text: string, start: number): JsonNode {
  const members: JsonMember[] = [];
  const seen = new Set<string>();
  let at = skipBlanks(text, start + 1);
  while (text[at] !== "}") {
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(at, keyEnd)) as string;
    if (seen.has(key)) throw notReadable(NAME, `the key "${key}" stands there twice`);
    seen.add(key);
    const value = readValue(text, skipBlanks(text, skipBlanks(text, keyEnd) + 1));
    members.push({ key, start: at, value });
    at = skipBlanks(text, value.end);
    if (text[at] === ",") at = skipBlanks(text, at + 1);
  }
  return { kind: "object", start, end: at + 1, members };
}

function endOfArray(text: string, start: number): number {
  let at = skipBlanks(text, start + 1);
  while (text[at] !== "]") {
    at = skipBlanks(text, readValue(text, at).end);
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
