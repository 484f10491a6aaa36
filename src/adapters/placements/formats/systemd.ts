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
const NEWLINE = /[\r\n]/;

export const systemdFormat: Format = {
  name: NAME,
  assertKey: (key) => assertVariableName(NAME, key),
  assertValue(key, value) {
    render(key, value);
  },
  read: (text, keys) => readAssignments(scan(text), keys),
  keys: (text) => scan(text).map(({ key }) => key),
  assignments: scan,
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
    // The first character belongs to the key whatever it is: `==a` assigns to `=`.
    const toEquals = text.slice(start + 1).search(/[=\r\n]/);
    if (toEquals === -1) break;
    const equals = start + 1 + toEquals;
    if (text[equals] !== "=") {
      // A line without "=" is ignored by systemd.
      at = equals + 1;
      continue;
    }
    const key = text.slice(start, equals).trimEnd();
    const { value, end } = readValue(text, equals + 1);
    found.push({ key, value, start, end });
    at = end;
  }
  return found;
}

/**
 * Quoted pieces first, blanks between them dropped; from the first bare character on, quotes are plain characters
 * (`A=it's` is `it's`). Tempting to treat quotes alike everywhere: then such a foreign line swallows ours below it.
 */
function readValue(text: string, from: number): { readonly value: string; readonly end: number } {
  let quoted = "";
  let at = skip(text, from, BLANK);
  while (text[at] === "'" || text[at] === '"') {
    const piece = text[at] === "'" ? readSingle(text, at) : readDouble(text, at);
    quoted += piece.value;
    at = skip(text, piece.end, BLANK);
  }
  let bare = "";
  /** Blanks at the end do not count, unless escaped. */
  let length = 0;
  for (; at < text.length && !NEWLINE.test(text[at] ?? ""); at += 1) {
    const escapes = text[at] === "\\";
    if (escapes) at += 1;
    const char = text[at];
    if (char === undefined) throw notReadable(NAME, "it ends in a backslash, which would join the next line");
    if (!escapes || !NEWLINE.test(char)) bare += char;
    if (escapes || !BLANK.test(char)) length = bare.length;
  }
  return { value: quoted + bare.slice(0, length), end: at };
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
