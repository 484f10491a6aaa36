/**
 * What files of lines can hold that their readers take differently, or that looks like the rest of a value above it: a key
 * of many lines that somebody pasted without quotes. To change its first line alone would leave the body of an old key
 * behind, so such a key is refused, with the number of the line and never its text. Pure.
 */
import type { LockstepError } from "../../../core/errors.ts";
import { notReadable } from "./format.ts";

const UTF16_HINT = "Save it as UTF-8 without a byte order mark.";
const QUOTE_HINT = "Put the whole value between quotes, or into one line; then try again.";

/** Null bytes in what should be lines of text: UTF-16 looks so to a reader of UTF-8. */
export function notText(format: string, text: string): LockstepError | null {
  return text.includes("\0") ? notReadable(format, "it holds null bytes, as UTF-16 does", UTF16_HINT) : null;
}

const MARK_HINT =
  "Take it out there: `sed -i '1s/^\\xEF\\xBB\\xBF//'` and the file's name, or save it as UTF-8 without it.";

/** `readers`: what they do with it. */
export function markedFile(format: string, readers: string): LockstepError {
  return notReadable(format, `it begins with a byte order mark, which ${readers}`, MARK_HINT);
}

export function marked(format: string, key: string): LockstepError {
  return notReadable(
    format,
    `a byte order mark stands before ${key} in line 1, which readers take for a part of its name`,
    MARK_HINT,
  );
}

/** `line`: of what follows and is no assignment of its own. */
export function continued(format: string, key: string, line: number): LockstepError {
  return notReadable(
    format,
    `line ${line} is no plain assignment, and may be the rest of the value of ${key} above it`,
    QUOTE_HINT,
  );
}

export function broken(format: string, key: string, line: number, why: string): LockstepError {
  return notReadable(format, `${key} in line ${line} ${why}`, QUOTE_HINT);
}

export function openQuote(format: string, line: number): LockstepError {
  return notReadable(
    format,
    `the quote that begins in line ${line} is not closed, or not where all readers close it`,
    "Close it, or put the value between the other kind of quotes; then try again.",
  );
}

export function unassigned(format: string, key: string, line: number): LockstepError {
  const why = `line ${line} names ${key} without a value, and some readers then drop the value above it`;
  return notReadable(format, why, "Take that line out, or write `export` before the value; then try again.");
}

export function joinsNext(format: string, line: number): LockstepError {
  const why = `line ${line} ends with a colon, and some readers take the line below it for its value`;
  return notReadable(format, why, "Write it as NAME=value, or take it out; then try again.");
}

/** An assignment of `key`, would its line be read as it looks. */
export function lookalike(format: string, key: string, line: number, why: string): LockstepError {
  return notReadable(
    format,
    `line ${line} looks like an assignment of ${key}, and ${why}`,
    "Write the line anew by hand, or take it out; then try again.",
  );
}

export const HAS_INVISIBLE = "holds a character that cannot be seen";

/** Its own name is told nowhere: it is a piece of the text above it. */
export function endOfText(format: string, line: number): LockstepError {
  return notReadable(format, `line ${line} may be the end of a longer text above it`, QUOTE_HINT);
}

/** The first line of a block like PEM's, without its end. */
export function beginsBlock(value: string): boolean {
  return /-{4,5} ?BEGIN(?: |$)/.test(value) && !/-{4,5} ?END /.test(value);
}

/** As programs wrap base64: openssl, base64, MIME. Not hexadecimal, whose end is no `=`. */
function isWrappedBase64(line: string): boolean {
  return (
    [48, 60, 64, 72, 76].includes(line.length) &&
    /^[A-Za-z0-9+/_-]+$/.test(line) &&
    !/^[0-9a-f]+$/i.test(line)
  );
}

/**
 * Whether a line that reads like `name=` is rather the end of base64 above it: `==` is never the beginning of a value, and
 * one `=` follows a full line. `DISPLAY=` is a name, whatever stands above.
 */
export function isBase64Tail(line: string, valueAbove: string): boolean {
  if (/^[A-Za-z0-9+/_-]{2,}==$/.test(line)) return true;
  const fits = line.length % 4 === 0 && line.length <= valueAbove.length && !/^[A-Z0-9]{7,}=$/.test(line);
  return fits && /^[A-Za-z0-9+/_-]{3,}=$/.test(line) && isWrappedBase64(valueAbove);
}

/**
 * Whether a line of one word is rather the rest of a text above it than a command: letters of both cases and digits, or
 * hexadecimal; and anything of whole quartets below a full line of base64.
 */
export function isEncodedRest(word: string, valueAbove: string): boolean {
  const isQuartets = /^(?:[A-Za-z0-9+/_-]{4})+$/.test(word) && word.length <= valueAbove.length;
  if (isQuartets && isWrappedBase64(valueAbove)) return true;
  if (!/^[A-Za-z0-9+_-][A-Za-z0-9+/_-]{15,}={0,2}$/.test(word)) return false;
  return (/[a-z]/.test(word) && /[A-Z]/.test(word) && /[0-9]/.test(word)) || /^[0-9a-f]+$/i.test(word);
}

/** The number of the line in which a place of the text stands, from 1; asked for ever later places it counts on. */
export class LineCounter {
  readonly #text: string;
  #at = 0;
  #line = 1;

  constructor(text: string) {
    this.#text = text;
  }

  at(place: number): number {
    const between = this.#text.slice(this.#at, Math.max(place, this.#at));
    this.#line += between.match(/\r\n?|\n/g)?.length ?? 0;
    this.#at = Math.max(place, this.#at);
    return this.#line;
  }
}
