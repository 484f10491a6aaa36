/**
 * A launchd job as an XML property list (launchd.plist(5)); keys stand in its `EnvironmentVariables` dict, which is
 * made when it is missing. The job itself is its owner's: from nothing no plist is made, because one without a label
 * and a program would be no job.
 *
 * Any local user may ask launchd for what a job's plist holds only as far as the file may be read: such a file is its
 * owner's alone (`ownerOnly`).
 */
import {
  assertText,
  assertVariableName,
  type Format,
  keyInvalid,
  notReadable,
  notRepresentable,
} from "./format.ts";
import { type PlistDict, type PlistNode, parsePlistSource } from "./plist-source.ts";

const NAME = "plist";
const DICT = "EnvironmentVariables";
const INDENT = "\t";

export const plistFormat: Format = {
  name: NAME,
  ownerOnly: true,
  assertKey(key) {
    assertVariableName(NAME, key);
    if (key.startsWith("XPC_"))
      throw keyInvalid(NAME, key, "launchd keeps names that begin with XPC_ for itself");
  },
  assertValue(key, value) {
    render(key, value);
  },
  read(text, keys) {
    const dict = environmentOf(parsePlistSource(text));
    const wanted = new Set(keys);
    const members = (dict?.members ?? []).filter(({ key }) => wanted.has(key));
    return new Map(members.map(({ key, value }) => [key, textOf(text, value)]));
  },
  keys: (text) => (environmentOf(parsePlistSource(text))?.members ?? []).map(({ key }) => key),
  write(text, changes) {
    if (text === null) {
      throw notReadable(
        NAME,
        "it does not exist, and a job needs more than its environment; install the job first",
      );
    }
    let written = text;
    for (const [key, value] of changes) {
      written = value === null ? removeKey(written, key) : setKey(written, key, value);
    }
    return written;
  },
};

function render(key: string, value: string): string {
  assertText(NAME, key, value, "\t\n");
  if (/[\uFFFE\uFFFF]/.test(value)) throw notRepresentable(NAME, key, "XML has no such character");
  // XML 1.1 calls it a line end, and some readers of XML 1.0 make a newline of it.
  if (value.includes("\u2028")) throw notRepresentable(NAME, key, "readers change its line separator");
  const escaped = value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<string>${escaped}</string>`;
}

/** Anything but a string is its source, which no version of ours equals. */
function textOf(text: string, node: PlistNode): string {
  return node.kind === "string" ? node.text : text.slice(node.start, node.end);
}

function environmentOf(root: PlistDict): PlistDict | null {
  const member = root.members.find(({ key }) => key === DICT);
  if (member === undefined) return null;
  if (member.value.kind !== "dict") throw notReadable(NAME, `${DICT} is not a dict`);
  return member.value;
}

function setKey(text: string, key: string, value: string): string {
  const root = parsePlistSource(text);
  const dict = environmentOf(root);
  if (dict === null) {
    const made = (indent: string) =>
      `<dict>\n${indent}${INDENT}<key>${key}</key>\n${indent}${INDENT}${render(key, value)}\n${indent}</dict>`;
    return insert(text, root, DICT, made);
  }
  const member = dict.members.find((one) => one.key === key);
  if (member === undefined) return insert(text, dict, key, () => render(key, value));
  if (textOf(text, member.value) === value && member.value.kind === "string") return text;
  return replace(text, member.value.start, member.value.end, render(key, value));
}

/** In the manner of the member before: its indent, and what stands between its key and its value. */
function insert(text: string, dict: PlistDict, key: string, valueAt: (indent: string) => string): string {
  const last = dict.members.at(-1);
  if (last !== undefined) {
    const before = blanksBefore(text, last.start);
    const between = /^[ \t\r\n]*$/.exec(text.slice(last.keyEnd, last.value.start))?.[0] ?? "\n";
    const member = `${before}<key>${key}</key>${between}${valueAt(before.slice(before.lastIndexOf("\n") + 1))}`;
    return replace(text, last.value.end, last.value.end, member);
  }
  const outer = /^[ \t]*/.exec(text.slice(text.lastIndexOf("\n", dict.start - 1) + 1, dict.start))?.[0] ?? "";
  const inner = outer + INDENT;
  const member = `\n${inner}<key>${key}</key>\n${inner}${valueAt(inner)}\n${outer}`;
  if (dict.selfClosing) return replace(text, dict.start, dict.end, `<dict>${member}</dict>`);
  return replace(text, dict.closeAt - blanksBefore(text, dict.closeAt).length, dict.closeAt, member);
}

function removeKey(text: string, key: string): string {
  const dict = environmentOf(parsePlistSource(text));
  const member = dict?.members.find((one) => one.key === key);
  if (member === undefined) return text;
  return replace(text, member.start - blanksBefore(text, member.start).length, member.value.end, "");
}

function blanksBefore(text: string, at: number): string {
  let from = at;
  while (from > 0 && /[ \t\r\n]/.test(text[from - 1] ?? "")) from -= 1;
  return text.slice(from, at);
}

function replace(text: string, start: number, end: number, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}
