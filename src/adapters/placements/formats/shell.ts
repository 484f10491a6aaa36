/**
 * A file that a shell sources: `export KEY='…'`, a line of POSIX sh that bash, ksh and zsh read alike. What somebody
 * else wrote (`KEY=…; export KEY`, other quotes) is found as far as it is certain without running it; an assignment
 * in a branch, a computed value and the like are refused.
 *
 * A key that is set and never exported counts as present, so that a foreign value is not overwritten unseen; the next
 * change of ours exports it.
 */
import { asSeen, BYTE_ORDER_MARK } from "../../../lib/hidden-text.ts";
import {
  beginsBlock,
  broken,
  continued,
  HAS_INVISIBLE,
  isBase64Tail,
  isEncodedRest,
  LineCounter,
  lookalike,
  markedFile,
  notText,
} from "./doubts.ts";
import { assertText, assertVariableName, type Format, notReadable } from "./format.ts";
import { type Statement, shellStatements } from "./shell-statements.ts";
import type { ShellWord } from "./shell-words.ts";

const NAME = "shell";
const PLAIN_ASSIGNMENT = /^[A-Za-z_][A-Za-z0-9_]*=/;
/** Commands that change a variable that they name. */
const SETTERS = new Set(
  `. alias builtin command declare eval export float for getopts integer let local mapfile printf read readarray
  readonly select source typeset unset vared`.split(/\s+/),
);

interface Setting {
  readonly statement: Statement;
  readonly word: ShellWord;
  readonly value: string;
  readonly isExport: boolean;
}

interface Found {
  /** In the file's order; the last one wins. */
  readonly settings: readonly Setting[];
  /** `export KEY` without a value. */
  readonly marks: readonly { readonly statement: Statement; readonly word: ShellWord }[];
}

export const shellFormat: Format = {
  name: NAME,
  assertKey: (key) => assertVariableName(NAME, key),
  assertValue(key, value) {
    render(key, value);
  },
  read(text, keys) {
    const statements = readable(text);
    const values = keys.map((key) => [key, find(text, statements, key).settings.at(-1)?.value] as const);
    return new Map(values.filter((entry): entry is [string, string] => entry[1] !== undefined));
  },
  write(text, changes) {
    let written = text ?? "";
    for (const [key, value] of changes) {
      written = value === null ? removeKey(written, key) : setKey(written, key, value);
      const stands = find(written, readable(written), key).settings.at(-1)?.value ?? null;
      if (stands !== value) throw notReadable(NAME, `${key} would not be read back as it was written`);
    }
    return written;
  },
};

function render(key: string, value: string): string {
  assertText(NAME, key, value, "\t\n");
  return `${key}='${value.replaceAll("'", "'\\''")}'`;
}

function readable(text: string): readonly Statement[] {
  const unusable = notText(NAME, text);
  if (unusable !== null) throw unusable;
  if (text.startsWith(BYTE_ORDER_MARK)) throw markedFile(NAME, "shells take for a part of its first command");
  const statements = shellStatements(text);
  const ends = statements.some(
    ({ words, surelyRuns }) => surelyRuns && ["exit", "return"].includes(words[0]?.value ?? ""),
  );
  if (ends)
    throw notReadable(NAME, "it ends itself with `exit` or `return`, so lines after that do not count");
  return statements;
}

function find(text: string, statements: readonly Statement[], key: string): Found {
  const settings: Setting[] = [];
  const marks: { statement: Statement; word: ShellWord }[] = [];
  const source = (word: ShellWord) => text.slice(word.start, word.end);
  const unclear = (word: ShellWord) => unclearAt(text, key, word);
  const mentions = new RegExp(`^${key}(?:\\[|\\+?=|$)`);
  for (const [at, statement] of statements.entries()) {
    const { words } = statement;
    for (const word of words) {
      if (new RegExp(`\\$\\{${key}:?=`).test(source(word))) throw unclear(word);
      assertSeen(text, key, word);
    }
    const head = words.findIndex((word) => !PLAIN_ASSIGNMENT.test(source(word)));
    const command = words[head];
    for (const [index, word] of words.entries()) {
      if (!mentions.test(source(word).replaceAll(/["'\\]/g, ""))) continue;
      const isExport = head === 0 && source(words[0] ?? word) === "export";
      if (head !== -1 && !isExport) {
        // Words of an ordinary command are its own matter; before it, or given to one that sets, they are not.
        if (index < head || command?.value === null || SETTERS.has(command?.value ?? "")) throw unclear(word);
        if (index === head) throw unclear(word);
        continue;
      }
      if (!statement.surelyRuns || words.some((one) => isExport && source(one).startsWith("-")))
        throw unclear(word);
      if (isExport && word.value === key) marks.push({ statement, word });
      else if (word.value?.startsWith(`${key}=`) === true) {
        const value = word.value.slice(key.length + 1);
        assertWhole(text, key, { word, value, statement, next: statements[at + 1] });
        settings.push({ statement, word, value, isExport });
      } else throw unclear(word);
    }
  }
  return { settings, marks };
}

function unclearAt(text: string, key: string, word: ShellWord): Error {
  const line = new LineCounter(text).at(word.start);
  return notReadable(NAME, `${key} is set in line ${line} in a way that only a running shell understands`);
}

/** A word that a person takes for an assignment of the key, and shells for a command. */
function assertSeen(text: string, key: string, word: ShellWord): void {
  const written = text.slice(word.start, word.end);
  const seen = asSeen(written);
  if (seen === written || !seen.startsWith(`${key}=`)) return;
  if (written.startsWith(`${key}=`)) return;
  throw lookalike(NAME, key, new LineCounter(text).at(word.start), HAS_INVISIBLE);
}

interface Assigned {
  readonly word: ShellWord;
  readonly value: string;
  readonly statement: Statement;
  readonly next: Statement | undefined;
}

/** A value without quotes ends at a blank or a line's end, also where somebody pasted a text that goes on behind it. */
function assertWhole(text: string, key: string, { word, value, statement, next }: Assigned): void {
  const source = (one: ShellWord) => text.slice(one.start, one.end);
  const lineOf = (one: ShellWord) => new LineCounter(text).at(one.start);
  if (beginsBlock(value)) throw broken(NAME, key, lineOf(word), "begins a block of several lines");
  if (/["']/.test(source(word))) return;
  const after = statement.words[statement.words.indexOf(word) + 1];
  if (after !== undefined && !/^[A-Za-z_]\w*(?:=|$)/.test(source(after))) throw unclearAt(text, key, word);
  const [first, ...others] = next?.words ?? [];
  if (first === undefined || next?.redirected === true) return;
  const begun = source(first);
  const isRest = others.length === 0 && (isEncodedRest(begun, value) || isBase64Tail(begun, value));
  // Names of commands begin with a letter, or are paths.
  if (isRest || !/^[A-Za-z_./~$"'`:[\\]/.test(begun)) throw continued(NAME, key, lineOf(first));
}

function setKey(text: string, key: string, value: string): string {
  const { settings, marks } = find(text, readable(text), key);
  const assignment = render(key, value);
  if (settings.length === 0) {
    const separator = text === "" || text.endsWith("\n") ? "" : "\n";
    return `${text}${separator}export ${assignment}\n`;
  }
  let written = text;
  for (const { statement, word, value: before, isExport } of settings.toReversed()) {
    if (before === value) continue;
    const exported = isExport || marks.length > 0;
    if (!exported && statement.words.length > 1) {
      throw notReadable(NAME, `${key} is set beside other variables and never exported`);
    }
    written = replace(written, word.start, word.end, exported ? assignment : `export ${assignment}`);
  }
  return written;
}

function removeKey(text: string, key: string): string {
  const { settings, marks } = find(text, readable(text), key);
  const all = [...settings, ...marks].sort((left, right) => right.word.start - left.word.start);
  return all.reduce((written, { statement, word }) => removeWord(written, statement, word), text);
}

function removeWord(text: string, { words }: Statement, word: ShellWord): string {
  const index = words.indexOf(word);
  const isExport = text.slice(words[0]?.start, words[0]?.end) === "export";
  const previous = words[index - 1];
  const next = words[index + 1];
  if (words.length > (isExport ? 2 : 1)) {
    if (previous !== undefined) return replace(text, previous.end, word.end, "");
    return replace(text, word.start, next?.start ?? word.end, "");
  }
  const start = words[0]?.start ?? word.start;
  // `:` does nothing, and keeps what stands beside it on the line valid.
  const emptied = replace(text, start, word.end, ":");
  const lineStart = emptied.lastIndexOf("\n", start - 1) + 1;
  const lineEnd = emptied.indexOf("\n", start);
  const line = emptied.slice(lineStart, lineEnd === -1 ? undefined : lineEnd);
  if (!/^[ \t]*:(?:[ \t]*;[ \t]*:)*[ \t]*;?[ \t]*(?:[ \t]#.*)?$/.test(line)) return emptied;
  return replace(emptied, lineStart, lineEnd === -1 ? emptied.length : lineEnd + 1, "");
}

function replace(text: string, start: number, end: number, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}
