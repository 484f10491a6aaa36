/**
 * How a file holds keys. A format edits text and never touches the world; everything that is not its key's own stays
 * byte for byte. A value that the format's real readers would not give back unchanged is refused before anything is
 * written.
 */
import { LockstepError } from "../../../core/errors.ts";

export interface Format {
  readonly name: string;
  /** The file's rights must end at its owner: the group may not read it either. */
  readonly ownerOnly?: boolean;
  /** Throws KEY_INVALID. */
  assertKey(key: string): void;
  /** Throws VALUE_NOT_REPRESENTABLE. */
  assertValue(key: string, value: string): void;
  /** What the format's readers see for these keys; missing ones are left out. Throws TARGET_REFUSED for a file that they could not read. */
  read(text: string, keys: readonly string[]): ReadonlyMap<string, string>;
  /** A second value that the same bytes may stand for; null: there is none. */
  alsoReads?(text: string): string | null;
  /**
   * Why no reader, or not every one that counts, gets what `read` answers for the key; null: all do. In words that follow
   * "another value: ". What stands there so is never in sync, and is written anew when its turn comes.
   */
  unclear?(text: string, key: string): string | null;
  /** All keys that stand there, for looking around; absent where they cannot be listed for certain. Throws as `read` does. */
  keys?(text: string): readonly string[];
  /** Of files of lines: each assignment where it stands, in order. Throws as `read` does. */
  assignments?(text: string): readonly Assignment[];
  /** `null` content: the file does not exist yet. `null` value: the key goes. Answers the text itself when nothing changes. */
  write(text: string | null, changes: ReadonlyMap<string, string | null>): string;
}

export function keyInvalid(format: string, key: string, why: string): LockstepError {
  return new LockstepError("KEY_INVALID", `A ${format} file cannot hold the key "${key}": ${why}.`);
}

export function notRepresentable(format: string, key: string, why: string): LockstepError {
  return new LockstepError(
    "VALUE_NOT_REPRESENTABLE",
    `A ${format} file cannot hold the value for "${key}": ${why}.`,
  );
}

export function notReadable(
  format: string,
  why: string,
  hint = "Repair the file by hand, or choose the format that it really has.",
): LockstepError {
  return new LockstepError("TARGET_REFUSED", `The ${format} file cannot be edited safely: ${why}.`, { hint });
}

/** What files of text cannot carry: lone surrogates, and control characters beyond the allowed ones. */
export function assertText(format: string, key: string, value: string, allowed: string): void {
  if (Buffer.from(value).toString() !== value) throw notRepresentable(format, key, "it is not valid Unicode");
  for (const char of value) {
    const code = char.codePointAt(0) ?? 0;
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0);
    if (isControl && !allowed.includes(char))
      throw notRepresentable(format, key, "its readers change or drop control characters");
  }
}

const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;

export function assertVariableName(format: string, key: string): void {
  if (!VARIABLE.test(key)) throw keyInvalid(format, key, "names are letters, digits and _");
}

/** An assignment in a file of lines: where its text stands, without the line's end. */
export interface Assignment {
  readonly key: string;
  readonly value: string;
  readonly start: number;
  readonly end: number;
  /** What its owner wrote around the value, and another value leaves alone; without it the whole text is rendered anew. */
  readonly around?: { readonly before: string; readonly after: string };
  /** Why it is not certain where it ends, or whose it is: neither read nor changed. */
  readonly doubt?: LockstepError;
  /** For the format's readers it is none: it only looks like one. Its "key" may be a piece of a value. */
  readonly alike?: true;
}

/** `doubt`: why nothing in the file is certain. */
export interface Scanned<One extends Assignment = Assignment> {
  readonly assignments: readonly One[];
  readonly doubt: LockstepError | null;
}

/** Throws the file's doubt. */
export function certain<One extends Assignment>({ assignments, doubt }: Scanned<One>): readonly One[] {
  if (doubt !== null) throw doubt;
  return assignments;
}

/** Of what is an assignment to somebody. Throws the file's doubt. */
export function keysOf(scanned: Scanned): readonly string[] {
  return certain(scanned).flatMap(({ key, alike }) => (alike ? [] : [key]));
}

/** The last assignment of a key wins in every reader of these files. Throws where one of the keys' own is in doubt. */
export function readAssignments(scanned: Scanned, keys: readonly string[]): ReadonlyMap<string, string> {
  const wanted = new Set(keys);
  const found = certain(scanned).filter(({ key }) => wanted.has(key));
  for (const { doubt } of found) if (doubt !== undefined) throw doubt;
  return new Map(found.map(({ key, value }) => [key, value]));
}

/**
 * Replaces assignments where they stand, all of a key's, so that no older copy is left behind; appends new keys at
 * the end; removes whole lines. `render` gives the assignment's text. Throws where one of the keys' own is in doubt.
 */
export function writeAssignments<One extends Assignment>(
  text: string | null,
  scanned: Scanned<One>,
  changes: ReadonlyMap<string, string | null>,
  render: (key: string, value: string, standing?: One) => string,
): string {
  const source = text ?? "";
  const newline = lastLineEnd(source);
  let written = "";
  let at = 0;
  const present = new Set<string>();
  for (const standing of certain(scanned)) {
    const { key, value, start, end, around, doubt } = standing;
    const wanted = changes.get(key);
    if (wanted === undefined) continue;
    if (doubt !== undefined) throw doubt;
    present.add(key);
    if (wanted === value) continue;
    written += source.slice(at, start);
    if (wanted === null) {
      at = behindLine(source, end);
    } else {
      const rendered = render(key, wanted, standing);
      written +=
        around === undefined ? rendered : around.before + rendered.slice(key.length + 1) + around.after;
      at = end;
    }
  }
  written += source.slice(at);
  for (const [key, value] of changes) {
    if (value === null || present.has(key)) continue;
    if (written !== "" && !written.endsWith("\n")) written += newline;
    written += render(key, value) + newline;
  }
  return written;
}

/** A file of mixed line ends goes on as it ends. */
function lastLineEnd(source: string): string {
  return source.match(/\r\n|\n/g)?.at(-1) ?? "\n";
}

function behindLine(source: string, from: number): number {
  const found = /\r\n?|\n/g;
  found.lastIndex = from;
  return found.exec(source) === null ? source.length : found.lastIndex;
}
