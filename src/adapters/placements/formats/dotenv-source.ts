/**
 * The assignments of a `.env` file as dotenv 16 and 17 take them, each with what makes it uncertain where it ends or whose
 * it is: where Node's `--env-file`, python-dotenv or docker compose would see other lines in it. Pure.
 */
import type { LockstepError } from "../../../core/errors.ts";
import { asSeen, BYTE_ORDER_MARK } from "../../../lib/hidden-text.ts";
import type { DotenvReader } from "./dotenv-readers.ts";
import {
  beginsBlock,
  broken,
  continued,
  endOfText,
  HAS_INVISIBLE,
  isBase64Tail,
  joinsNext,
  lookalike,
  marked,
  notText,
  openQuote,
  unassigned,
} from "./doubts.ts";
import type { Assignment, Scanned } from "./format.ts";
import { afterLineEnd, blanksAt, blanksBefore, endOfLine, unescaped } from "./text-places.ts";

const NAME = "dotenv";
const HEAD = /[ \t]*(export[ \t]+)?([\w.-]+)([ \t]*=|:[ \t]+)/y;
const BLANK_OR_REMARK = /^[ \t]*(?:#.*)?$/s;
/** Of files that shells source too: lines that change no variable. */
const HARMLESS = /^[ \t]*(?:export(?:[ \t]+[A-Za-z_]\w*)+|set[ \t]+[-+][\w \t]*)[ \t]*(?:#.*)?$/s;

/** dotenv takes any white space for the one behind the colon, and so the next line for the value. */
const JOINS_NEXT = /^[ \t]*(?:export[ \t]+)?[\w.-]+:$/;

/** In a line that is no assignment to most. python-dotenv knows names between single quotes, also over several lines. */
const OPENS_QUOTE = /^[ \t]*(?:export[ \t]+)?'[^']*$|=[ \t]*(['"])(?:\\.|(?!\1).)*$/s;

export interface DotenvAssignment extends Assignment {
  /** Between key and value, the blanks before it included. */
  readonly separator: string;
  /** Behind the separator, to the end. */
  readonly text: string;
}

interface Found extends DotenvAssignment {
  doubt?: LockstepError;
}

const NO_TEXT = { separator: "", text: "" } as const;

/** The last assignment whose value no quote ends: what follows may belong to it. */
interface Open {
  readonly found: Found;
  readonly value: string;
  readonly byColon: boolean;
}

/** `reader`: the one that counts; without it all of them do. */
export function scanDotenv(text: string, reader?: DotenvReader): Scanned<DotenvAssignment> {
  const unusable = notText(NAME, text);
  if (unusable !== null) return { assignments: [], doubt: unusable };
  const scanner = new Scanner(text, reader);
  scanner.run();
  return { assignments: scanner.found, doubt: scanner.doubt };
}

class Scanner {
  readonly found: Found[] = [];
  /** What makes the whole file uncertain. Its lines are taken as dotenv takes them, for those who only look. */
  doubt: LockstepError | null = null;
  readonly #text: string;
  readonly #reader: DotenvReader | undefined;
  readonly #keys = new Set<string>();
  #at = 0;
  #line = 1;
  #open: Open | null = null;

  constructor(text: string, reader: DotenvReader | undefined) {
    this.#text = text;
    this.#reader = reader;
  }

  run(): void {
    if (this.#text.startsWith(BYTE_ORDER_MARK)) this.#at = 1;
    while (this.#at < this.#text.length) {
      HEAD.lastIndex = this.#at;
      const head = HEAD.exec(this.#text);
      if (head === null) this.#other(endOfLine(this.#text, this.#at));
      else this.#assignment(head, HEAD.lastIndex);
    }
  }

  #other(end: number): void {
    const line = this.#text.slice(this.#at, end);
    this.#bareName(line, end);
    if (!BLANK_OR_REMARK.test(line) && !HARMLESS.test(line)) {
      this.#doubtOpen();
      this.#lookalike(line, end);
      if (OPENS_QUOTE.test(line)) this.doubt ??= openQuote(NAME, this.#line);
      if (JOINS_NEXT.test(asSeen(line))) this.doubt ??= joinsNext(NAME, this.#line);
    }
    this.#advance(end);
  }

  /** A name without a value takes the value above away from python-dotenv. */
  #bareName(line: string, end: number): void {
    const [, names] = /^[ \t]*(?:export[ \t]+)?([\w.-]+(?:[ \t]+[\w.-]+)*)[ \t]*(?:#.*)?$/s.exec(line) ?? [];
    for (const key of new Set(names?.split(/[ \t]+/))) {
      if (!this.#keys.has(key)) continue;
      const doubt = unassigned(NAME, key, this.#line);
      this.#add({ key, value: "", ...NO_TEXT, ...this.#extent(end), alike: true, doubt });
    }
  }

  /** A line that nobody, or not everybody, reads as the assignment that a person sees. */
  #lookalike(line: string, end: number): void {
    const seen = asSeen(line);
    const key = /^[ \t]*(?:[A-Za-z]+[ \t]+(?:-[A-Za-z]+[ \t]+)*)?['"]?([\w.-]+)['"]?[ \t]*[=:]/.exec(
      seen,
    )?.[1];
    if (key === undefined) return;
    const why = seen === line ? "readers of these files do not take it for one" : HAS_INVISIBLE;
    this.#add({
      key,
      value: "",
      ...NO_TEXT,
      ...this.#extent(end),
      alike: true,
      doubt: lookalike(NAME, key, this.#line, why),
    });
  }

  #assignment([head, , key = "", sign = ""]: RegExpExecArray, from: number): void {
    const separator = sign.trimEnd();
    const opening = from + blanksAt(this.#text, from);
    if (/['"`]/.test(this.#text[opening] ?? "") && this.#quoted(key, head, opening, separator)) return;
    const end = endOfLine(this.#text, from);
    const written = this.#text.slice(from, end);
    const [before = ""] = /^[^#]*/.exec(written) ?? [];
    const value = unquote(trimmed(before));
    const byColon = sign.startsWith(":");
    const line = `${head.trim()}${written}`.trim();
    const isTail = isBase64Tail(line, this.#open?.value ?? "");
    const isStrange = isTail || (byColon && this.#open?.byColon === false);
    if (isStrange) this.#doubtOpen();
    const found: Found = {
      key,
      value,
      separator,
      text: this.#text.slice(this.#at + head.trimEnd().length, end),
      ...this.#extent(end),
      ...around(head, from, this.#text, end),
      ...(isTail ? { alike: true } : {}),
    };
    const doubt = isTail ? endOfText(NAME, this.#line) : this.#doubtOf(key, value);
    if (doubt !== null) found.doubt = doubt;
    this.#add(found);
    this.#open = isStrange ? this.#open : { found, value, byColon };
    this.#advance(end);
  }

  #doubtOf(key: string, value: string): LockstepError | null {
    if (beginsBlock(value))
      return broken(NAME, key, this.#line, "begins a block of several lines without quotes");
    return value.endsWith("\\")
      ? broken(NAME, key, this.#line, "ends in a backslash, which shells join with the next line")
      : null;
  }

  /** False: no quoted value that all readers end alike; dotenv then takes the line. */
  #quoted(key: string, head: string, from: number, separator: string): boolean {
    const text = this.#text;
    const quote = text[from] ?? "";
    const escapes = this.#reader === "python-dotenv" || (this.#reader === "sh" && quote === '"');
    const close = escapes
      ? unescaped(text, quote, from + 1, this.#reader === "sh")
      : text.indexOf(quote, from + 1);
    const isEscaped = !escapes && text[close - 1] === "\\";
    const last = isEscaped ? unescaped(text, quote, close + 1) : close;
    const end = endOfLine(text, close);
    const lineEnd = endOfLine(text, from);
    const isPlain = close !== -1 && !isEscaped && BLANK_OR_REMARK.test(text.slice(close + 1, end));
    if (!isPlain) {
      // A backtick is a letter to half of the readers: that it stays open is this key's matter alone.
      const isOnLine = close !== -1 && last !== -1 && close < lineEnd && last < lineEnd;
      if (!isOnLine && quote !== "`") this.doubt ??= openQuote(NAME, this.#line);
      return false;
    }
    const inner = text.slice(from + 1, close).replaceAll(/\r\n?/g, "\n");
    const value = unquote(`${quote}${inner}${quote}`);
    const found: Found = {
      key,
      value,
      separator,
      text: text.slice(this.#at + head.trimEnd().length, end),
      ...this.#extent(end),
      ...around(head, from, text, end),
    };
    if (quote === "`") this.#addBackticked(found, close < lineEnd);
    else this.#add(found);
    this.#open = null;
    this.#advance(end);
    return true;
  }

  /** Readers that know no backticks see assignments inside of a text between them. */
  #addBackticked(found: Found, isOnLine: boolean): void {
    const reason = broken(
      NAME,
      found.key,
      this.#line,
      "stands between backticks, which only some readers know",
    );
    this.#add(isOnLine ? found : { ...found, doubt: reason });
    const [, ...further] = this.#text.slice(found.start, found.end).split(/\r\n?|\n/);
    for (const [index, line] of further.entries()) {
      const key = /^[ \t]*(?:export[ \t]+)?([\w.-]+)[ \t]*=/.exec(line)?.[1];
      if (key === undefined) continue;
      const why = "stands between backticks, which only some readers know";
      const doubt = lookalike(NAME, key, this.#line + index + 1, why);
      this.found.push({ ...found, key, value: "", alike: true, doubt });
    }
  }

  #doubtOpen(): void {
    const open = this.#open?.found;
    if (open !== undefined) open.doubt ??= continued(NAME, open.key, this.#line);
  }

  #extent(end: number): { readonly start: number; readonly end: number } {
    return { start: this.#at + blanksAt(this.#text, this.#at), end };
  }

  /** Changes what it is given: a doubt may come with a later line. */
  #add(found: Found): void {
    // The first line of a file that begins with a mark.
    if (this.#at === 1 && this.#text.startsWith(BYTE_ORDER_MARK)) found.doubt = marked(NAME, found.key);
    this.found.push(found);
    this.#keys.add(found.key);
  }

  #advance(end: number): void {
    const next = afterLineEnd(this.#text, end);
    this.#line += this.#text.slice(this.#at, next).match(/\r\n?|\n/g)?.length ?? 0;
    this.#at = next;
  }
}

/**
 * `export` and a remark stay: what sources the file may need the first, and the last is its owner's. Blanks around `=` and
 * `KEY: value` do not, because only dotenv reads them; nor what a shell would not take for a remark (`KEY=value#more`),
 * or a reader for something else (quotes in it).
 */
function around(head: string, from: number, text: string, end: number): Pick<Assignment, "around"> {
  const [, exported = "", key = ""] = /^[ \t]*(export[ \t]+)?([\w.-]+)/.exec(head) ?? [];
  const written = text.slice(from, end);
  const quote = /^['"`]/.exec(written)?.[0];
  const close = quote === undefined ? -1 : written.indexOf(quote, 1);
  const hash = written.indexOf("#");
  const bareTail = hash === -1 ? "" : written.slice(blanksBefore(written, hash));
  const tail = close === -1 ? bareTail : written.slice(close + 1);
  const [remark = ""] = /^[ \t]+#[^'"`\\]*$/.exec(tail) ?? [];
  return { around: { before: `${exported}${key}=`, after: remark } };
}

/** What cannot be seen at its ends stays: dotenv drops some of it, and others do not. */
function trimmed(written: string): string {
  return written.slice(
    blanksAt(written, 0),
    Math.max(blanksAt(written, 0), blanksBefore(written, written.length)),
  );
}

/** dotenv's own steps, in its order. */
function unquote(raw: string): string {
  const inner = raw.replace(/^(['"`])([\s\S]*)\1$/, "$2");
  return raw.startsWith('"') ? inner.replaceAll("\\n", "\n").replaceAll("\\r", "\r") : inner;
}
