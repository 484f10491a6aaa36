/**
 * systemd's EnvironmentFile= (systemd.exec(5); the reader is src/basic/env-file.c). Values are double-quoted, where a
 * backslash escapes `"`, `\`, `` ` `` and `$`, and newlines stand for themselves.
 */
import {
  type Assignment,
  assertText,
  assertVariableName,
  type Format,
  notReadable,
  readAssignments,
  writeAssignments,
} from "./format.ts";

const NAME = "systemd";
const ESCAPED = /["\\`$]/g;
const BLANK = /[ \t]/;

export const systemdFormat: Format = {
  name: NAME,
  assertKey: (key) => assertVariableName(NAME, key),
  assertValue(key, value) {
    render(key, value);
  },
  read: (text, keys) => readAssignments(scan(text), keys),
  write: (text, changes) => writeAssignments(text, scan(text ?? ""), changes, render),
};

function render(key: string, value: string): string {
  // systemd drops assignments whose value holds other control characters (env_value_is_valid).
  assertText(NAME, key, value, "\t\n");
  return `${key}="${value.replaceAll(ESCAPED, "\\$&")}"`;
}

/** One pass, like systemd's own state machine: comments, keys, then values of quoted and unquoted pieces. */
function scan(text: string): readonly Assignment[] {
  const found: Assignment[] = [];
  let at = 0;
  while (at < text.length) {
    const start = skip(text, at, /[ \t\r\n]/);
    if (start >= text.length) break;
    if (text[start] === "#" || text[start] === ";") {
      at = endOfComment(text, start);
      continue;
    }
    const equals = text.slice(start).search(/[=\n]/);
    if (equals === -1 || text[start + equals] === "\n") {
      // A line without "=" is ignored by systemd.
      at = equals === -1 ? text.length : start + equals + 1;
      continue;
    }
    const key = text.slice(start, start + equals).trimEnd();
    const { value, end } = readValue(text, start + equals + 1);
    found.push({ key, value, start, end });
    at = end;
  }
  return found;
}

function readValue(text: string, from: number): { readonly value: string; readonly end: number } {
  let at = skip(text, from, BLANK);
  let value = "";
  /** Unquoted blanks count only when something follows them. */
  let pendingBlanks = "";
  while (at < text.length && text[at] !== "\n" && text[at] !== "\r") {
    const char = text[at] ?? "";
    if (char === "'" || char === '"') {
      const quoted = char === "'" ? readSingle(text, at) : readDouble(text, at);
      value += pendingBlanks + quoted.value;
      pendingBlanks = "";
      at = quoted.end;
    } else if (char === "\\") {
      const next = text[at + 1] ?? "";
      if (next !== "\n") {
        value += pendingBlanks + next;
        pendingBlanks = "";
      }
      at += 2;
    } else if (BLANK.test(char)) {
      pendingBlanks += char;
      at += 1;
    } else {
      value += pendingBlanks + char;
      pendingBlanks = "";
      at += 1;
    }
  }
  return { value, end: at };
}

function readSingle(text: string, from: number): { readonly value: string; readonly end: number } {
  const close = text.indexOf("'", from + 1);
  if (close === -1) throw notReadable(NAME, "a single quote is not closed");
  return { value: text.slice(from + 1, close), end: close + 1 };
}

function readDouble(text: string, from: number): { readonly value: string; readonly end: number } {
  let value = "";
  for (let at = from + 1; at < text.length; at += 1) {
    const char = text[at] ?? "";
    if (char === '"') return { value, end: at + 1 };
    if (char !== "\\") {
      value += char;
      continue;
    }
    at += 1;
    const next = text[at] ?? "";
    if (/["\\`$]/.test(next)) value += next;
    else if (next !== "\n") value += `\\${next}`;
  }
  throw notReadable(NAME, "a double quote is not closed");
}

function skip(text: string, from: number, what: RegExp): number {
  let at = from;
  while (at < text.length && what.test(text[at] ?? "")) at += 1;
  return at;
}

/** A backslash at the end of a comment's line continues the comment. */
function endOfComment(text: string, from: number): number {
  for (let at = from; at < text.length; at += 1) {
    if (text[at] === "\\") at += 1;
    else if (text[at] === "\n") return at + 1;
  }
  return text.length;
}
