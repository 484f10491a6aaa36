/**
 * `.env` files as dotenv, Node's `--env-file`, python-dotenv, docker compose and `sh` read them. They agree on little: a
 * value is written in the first form that all of them read right (dotenv-readers.ts), or the one that `reader` names. What
 * stands bare stays bare where that is safe, because `docker run --env-file` takes quotes for a part of the value.
 */

import { agreedValue, type DotenvReader, textFor } from "./dotenv-readers.ts";
import {
  type Assignment,
  assertText,
  assertVariableName,
  type Format,
  notRepresentable,
  readAssignments,
  writeAssignments,
} from "./format.ts";

const NAME = "dotenv";
/** No value: what holds a NUL is refused. */
const NO_VALUE = "\u0000";

/** An assignment as dotenv 16 and 17 recognise it (their LINE expression), value and comment included. */
const LINE =
  /^[ \t]*(?:export[ \t]+)?([\w.-]+)(?:[ \t]*=[ \t]*?|:[ \t]+?)([ \t]*'(?:\\'|[^'])*'|[ \t]*"(?:\\"|[^"])*"|[ \t]*`(?:\\`|[^`])*`|[^#\r\n]+)?[ \t]*(?:#[^\r\n]*)?$/gm;

export function dotenvFormatFor(reader?: DotenvReader): Format {
  const render = (key: string, value: string, standing?: Standing) =>
    rendered(reader, key, value, standing !== undefined && isBare(standing.text));
  return {
    name: NAME,
    assertKey: (key) => assertVariableName(NAME, key),
    assertValue(key, value) {
      render(key, value);
    },
    read: (text, keys) => readAssignments(valuesFor(reader, scan(text)), keys),
    unclear(text, key) {
      const last = scan(text).findLast((one) => one.key === key);
      if (last === undefined || agreed(reader, last) !== null) return null;
      return reader === undefined
        ? "programs that read such files differ about how it is written there; `reader` names the one that counts"
        : `${reader} expands a part of it, or does not read it as one value`;
    },
    keys: (text) => scan(text).map(({ key }) => key),
    assignments: scan,
    write(text, changes) {
      const all = scan(text ?? "").map((one) => ({ ...one, value: agreed(reader, one) ?? NO_VALUE }));
      return writeAssignments(text, all, changes, render);
    },
  };
}

export const dotenvFormat = dotenvFormatFor();

/** Where nobody can say, npm's reading: `unclear` tells that it is not to be relied on. */
function valuesFor(reader: DotenvReader | undefined, all: readonly Standing[]): readonly Assignment[] {
  return all.map((one) => ({ ...one, value: agreed(reader, one) ?? one.value }));
}

/** What stands between the key and the value decides as well: `KEY: value` is npm's alone, blanks are no shell's. */
function agreed(reader: DotenvReader | undefined, { separator, text }: Standing): string | null {
  if (separator !== "=" && reader === "sh") return null;
  if (separator.endsWith(":") && reader !== "dotenv") return null;
  return agreedValue(reader, text);
}

function isBare(text: string): boolean {
  return !/^[ \t]*['"`]/.test(text);
}

interface Standing extends Assignment {
  /** Between key and value, the blanks before it included. */
  readonly separator: string;
  /** Behind the separator, to the end. */
  readonly text: string;
}

function scan(text: string): readonly Standing[] {
  return [...text.matchAll(LINE)].map((match) => {
    const [line, key = "", raw = ""] = match;
    const indent = line.length - line.trimStart().length;
    const [, separator = "", behind = ""] =
      /^\s*(?:export[ \t]+)?[\w.-]+([ \t]*[=:])([\s\S]*)$/.exec(line) ?? [];
    return {
      key,
      separator,
      text: behind,
      value: unquote(raw.trim()),
      start: match.index + indent,
      end: match.index + line.length,
      around: around(line.slice(indent), raw),
    };
  });
}

/**
 * `export` and a remark stay: what sources the file may need the first, and the last is its owner's. Blanks around `=` and
 * `KEY: value` do not, because only dotenv reads them; nor what a shell would not take for a remark (`KEY=value#more`),
 * or a reader for something else (quotes in it).
 */
function around(line: string, raw: string): { readonly before: string; readonly after: string } {
  const [, exported = "", key = ""] = /^(export[ \t]+)?([\w.-]+)/.exec(line) ?? [];
  const tail = raw.trim() === "" ? "" : line.slice(line.lastIndexOf(raw.trimEnd()) + raw.trimEnd().length);
  const [remark = ""] = /^[ \t]+#[^'"`\\]*$/.exec(tail) ?? [];
  return { before: `${exported}${key}=`, after: remark };
}

/** dotenv's own steps, in its order. */
function unquote(raw: string): string {
  const quote = raw[0];
  const inner = raw.replace(/^(['"`])([\s\S]*)\1$/, "$2");
  return quote === '"' ? inner.replaceAll("\\n", "\n").replaceAll("\\r", "\r") : inner;
}

function rendered(reader: DotenvReader | undefined, key: string, value: string, bare: boolean): string {
  assertText(NAME, key, value, "\t\n");
  const text = textFor(reader, value, { bare });
  if (text !== null) return `${key}=${text}`;
  throw notRepresentable(
    NAME,
    key,
    reader === undefined
      ? "programs that read such files would not all read it alike, however it is quoted; name the one that does with `reader` (dotenv, node, python-dotenv, compose, sh), or choose another format"
      : `${reader} would not read it right, however it is quoted; choose another format, such as json or raw`,
  );
}
