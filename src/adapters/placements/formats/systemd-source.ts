/**
 * The assignments of systemd's environment files as systemd itself takes them (src/basic/env-file.c), each with what makes
 * it uncertain where it ends or whose it is. Pure.
 */
import type { LockstepError } from "../../../core/errors.ts";
import { asSeen, BYTE_ORDER_MARK } from "../../../lib/hidden-text.ts";
import {
  beginsBlock,
  broken,
  continued,
  endOfText,
  HAS_INVISIBLE,
  isBase64Tail,
  LineCounter,
  lookalike,
  marked,
  notText,
  openQuote,
} from "./doubts.ts";
import type { Assignment, Scanned } from "./format.ts";

const NAME = "systemd";
const BLANK = /[ \t]/;
const NEWLINE = /[\r\n]/;
const BLANK_OR_NEWLINE = /[ \t\r\n]/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

interface Found extends Assignment {
  doubt?: LockstepError;
}

export function scanSystemd(text: string): Scanned {
  const unusable = notText(NAME, text);
  if (unusable !== null) return { assignments: [], doubt: unusable };
  const scanner = new Scanner(text);
  const doubt = scanner.run();
  return { assignments: scanner.found, doubt };
}

/** One pass, like systemd's own state machine: comments, keys, then values of quoted and unquoted pieces. */
class Scanner {
  readonly found: Found[] = [];
  readonly #text: string;
  readonly #lines: LineCounter;
  /** The last assignment whose value no quote ends: what follows may belong to it. */
  #open: Found | null = null;

  constructor(text: string) {
    this.#text = text;
    this.#lines = new LineCounter(text);
  }

  /** What makes the whole file uncertain. */
  run(): LockstepError | null {
    const text = this.#text;
    let at = text.startsWith(BYTE_ORDER_MARK) ? 1 : 0;
    while (at < text.length) {
      const start = skip(text, at, BLANK_OR_NEWLINE);
      if (start >= text.length) break;
      if (text[start] === "#" || text[start] === ";") {
        at = endOfComment(text, start);
        continue;
      }
      // The first character belongs to the key whatever it is: `==a` assigns to `=`.
      const toEquals = text.slice(start + 1).search(/[=\r\n]/);
      const equals = toEquals === -1 ? text.length : start + 1 + toEquals;
      if (text[equals] !== "=") {
        this.#ignored(start, equals);
        at = equals + 1;
        continue;
      }
      const taken = readValue(text, equals + 1);
      if (taken === null) return openQuote(NAME, this.#lines.at(equals));
      this.#assignment(start, equals, taken);
      at = taken.end;
    }
    return null;
  }

  /** A line without "=" is ignored by systemd. */
  #ignored(start: number, end: number): void {
    this.#doubtOpen(start);
    this.#add({ key: "", value: "", start, end });
  }

  #assignment(start: number, equals: number, { value, end, isBare }: Taken): void {
    const text = this.#text;
    const key = text.slice(start, equals).replace(/[ \t]+$/, "");
    const isTail = isBase64Tail(text.slice(start, end), this.#open?.value ?? "");
    const isVariable = VARIABLE.test(key) && !isTail;
    if (!isVariable) this.#doubtOpen(start);
    const found = this.#add({ key, value, start, end }, isTail);
    if (isVariable) this.#open = isBare ? found : null;
  }

  #add(found: Found, isTail = false): Found {
    const line = this.#lines.at(found.start);
    const isVariable = VARIABLE.test(found.key);
    const doubt = isTail ? endOfText(NAME, line) : isVariable ? this.#doubtOf(found, line) : null;
    const one: Found = {
      ...found,
      ...(doubt === null ? {} : { doubt }),
      ...(isTail ? { alike: true } : {}),
      ...(isVariable ? {} : this.#alike(found, line)),
    };
    this.found.push(one);
    return one;
  }

  #doubtOf({ key, value }: Found, line: number): LockstepError | null {
    if (line === 1 && this.#text.startsWith(BYTE_ORDER_MARK)) return marked(NAME, key);
    // Closed by its own end line, a block may stand between quotes.
    if (beginsBlock(value)) return broken(NAME, key, line, "begins a block of several lines without quotes");
    // systemd drops such a variable (env_value_is_valid), so that an earlier one may count.
    const why = "holds a control character, most often a Windows line end, and systemd drops it";
    return /[^\P{Cc}\t\n\u0080-\u009f]/u.test(value) ? broken(NAME, key, line, why) : null;
  }

  /** What a person takes for an assignment of a variable, and systemd ignores: `export KEY=…`, hidden characters, `KEY: …`. */
  #alike({ start, end }: Found, line: number): Pick<Found, "alike"> & Partial<Found> {
    const [written = ""] = this.#text.slice(start, end).split(NEWLINE, 1);
    const seen = asSeen(written);
    const key = /^[ \t]*(?:[A-Za-z]+[ \t]+(?:-[A-Za-z]+[ \t]+)*)?([A-Za-z_]\w*)[ \t]*[=:]/.exec(seen)?.[1];
    const why = seen === written ? "systemd ignores it" : HAS_INVISIBLE;
    return key === undefined ? { alike: true } : { alike: true, key, doubt: lookalike(NAME, key, line, why) };
  }

  #doubtOpen(at: number): void {
    if (this.#open !== null) this.#open.doubt ??= continued(NAME, this.#open.key, this.#lines.at(at));
  }
}

interface Piece {
  readonly value: string;
  readonly end: number;
}

interface Taken extends Piece {
  /** Not ended by a quote. */
  readonly isBare: boolean;
}

/**
 * Null: a quote is not closed, or the text ends in a backslash, which would join what is written behind it.
 * Quoted pieces first, blanks between them dropped; from the first bare character on, quotes are plain characters
 * (`A=it's` is `it's`). Tempting to treat quotes alike everywhere: then such a foreign line swallows ours below it.
 */
function readValue(text: string, from: number): Taken | null {
  let quoted = "";
  let at = skip(text, from, BLANK);
  while (text[at] === "'" || text[at] === '"') {
    const piece = text[at] === "'" ? readSingle(text, at) : readDouble(text, at);
    if (piece === null) return null;
    quoted += piece.value;
    at = skip(text, piece.end, BLANK);
  }
  const isBare = at === from || !/['"]/.test(text.slice(from, at));
  let bare = "";
  /** Blanks at the end do not count, unless escaped. */
  let length = 0;
  for (; at < text.length && !NEWLINE.test(text[at] ?? ""); at += 1) {
    const escapes = text[at] === "\\";
    if (escapes) at += 1;
    const char = text[at];
    if (char === undefined) return null;
    if (!escapes || !NEWLINE.test(char)) bare += char;
    if (escapes || !BLANK.test(char)) length = bare.length;
  }
  return { value: quoted + bare.slice(0, length), end: at, isBare: isBare || bare.trim() !== "" };
}

function readSingle(text: string, from: number): Piece | null {
  const close = text.indexOf("'", from + 1);
  if (close === -1) return null;
  return { value: text.slice(from + 1, close), end: close + 1 };
}

function readDouble(text: string, from: number): Piece | null {
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
  return null;
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
