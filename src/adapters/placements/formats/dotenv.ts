/**
 * `.env` files as dotenv, Node's `--env-file`, docker compose and `sh` read them. They differ in everything but
 * quoted values without escapes, so values are always quoted: single quotes, which nobody expands, or double quotes
 * when the value holds a single quote and nothing that anybody expands.
 */
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

/** An assignment as dotenv 16 and 17 recognise it (their LINE expression), value and comment included. */
const LINE =
  /^[ \t]*(?:export[ \t]+)?([\w.-]+)(?:[ \t]*=[ \t]*?|:[ \t]+?)([ \t]*'(?:\\'|[^'])*'|[ \t]*"(?:\\"|[^"])*"|[ \t]*`(?:\\`|[^`])*`|[^#\r\n]+)?[ \t]*(?:#[^\r\n]*)?$/gm;

export const dotenvFormat: Format = {
  name: NAME,
  assertKey: (key) => assertVariableName(NAME, key),
  assertValue(key, value) {
    render(key, value);
  },
  read: (text, keys) => readAssignments(scan(text), keys),
  keys: (text) => scan(text).map(({ key }) => key),
  assignments: scan,
  write(text, changes) {
    return writeAssignments(text, scan(text ?? ""), changes, render);
  },
};

function scan(text: string): readonly Assignment[] {
  return [...text.matchAll(LINE)].map((match) => {
    const [line, key = "", raw = ""] = match;
    const indent = line.length - line.trimStart().length;
    return {
      key,
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

function render(key: string, value: string): string {
  assertText(NAME, key, value, "\t\n");
  if (value.endsWith("\\"))
    throw notRepresentable(NAME, key, "a backslash at its end would escape the closing quote");
  if (!value.includes("'")) return `${key}='${value}'`;
  if (/["\\$`]/.test(value)) {
    throw notRepresentable(
      NAME,
      key,
      "it holds a single quote besides a character that readers expand inside double quotes",
    );
  }
  return `${key}="${value}"`;
}
