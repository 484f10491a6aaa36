/**
 * A JSON file; the key is a path: `gateway.auth.token`, or a JSON pointer (RFC 6901) beginning with `/` where names
 * hold dots. Only the value's own text is replaced; missing parents are made. Remarks and a comma behind the last member
 * stay where they are; into a file without them none is written.
 *
 * The edits are our own, although jsonc-parser has `modify`: up to 3.3.1 a key that it adds takes the remark of the member
 * before it to itself, and a key that it removes takes that remark along
 * (https://github.com/microsoft/node-jsonc-parser/issues/125).
 */
import { applyEdits, type Edit, findNodeAtLocation, type Node } from "jsonc-parser";
import { type Format, keyInvalid, notReadable, notRepresentable } from "./format.ts";
import { endOf, type JsonSource, parseJsonSource, skipBlanks } from "./json-source.ts";

const NAME = "json";
const INDENT = "  ";

export const jsonFormat: Format = {
  name: NAME,
  assertKey(key) {
    stepsOf(key);
  },
  assertValue(key, value) {
    // JSON escapes every control character.
    if (Buffer.from(value).toString() !== value) throw notRepresentable(NAME, key, "it is not valid Unicode");
  },
  read(text, keys) {
    const { root } = parseJsonSource(text);
    const found = new Map<string, string>();
    for (const key of keys) {
      const node = find(root, stepsOf(key));
      if (node !== undefined) found.set(key, textOf(text, node));
    }
    return found;
  },
  keys: (text) => leavesOf(parseJsonSource(text).root, []),
  write(text, changes) {
    let written = text ?? "{}\n";
    for (const [key, value] of changes) {
      written = applyEdits(
        written,
        value === null ? removalOf(written, stepsOf(key)) : settingOf(written, key, value),
      );
    }
    return written;
  },
};

function stepsOf(key: string): readonly string[] {
  const steps = key.startsWith("/")
    ? key
        .slice(1)
        .split("/")
        .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    : key.split(".");
  if (steps.some((step) => step === "")) throw keyInvalid(NAME, key, "a path has no empty names");
  return steps;
}

/** As a key names them; lists are not looked into, because no key reaches there. */
function leavesOf(node: Node, above: readonly string[]): readonly string[] {
  if (node.type !== "object") return above.length === 0 ? [] : [keyOf(above)];
  return membersOf(node).flatMap(({ key, value }) => (key === "" ? [] : leavesOf(value, [...above, key])));
}

interface Member {
  readonly key: string;
  /** Of the key's opening quote. */
  readonly start: number;
  readonly value: Node;
}

function membersOf(object: Node): readonly Member[] {
  return (object.children ?? []).flatMap(({ offset, children: [key, value] = [] }) =>
    key === undefined || value === undefined ? [] : [{ key: String(key.value), start: offset, value }],
  );
}

function keyOf(steps: readonly string[]): string {
  const plain = steps.join(".");
  if (!steps.some((step) => step.includes(".")) && !plain.startsWith("/")) return plain;
  return `/${steps.map((step) => step.replaceAll("~", "~0").replaceAll("/", "~1")).join("/")}`;
}

/** A text is its content; anything else is its source, which no version of ours equals. */
function textOf(text: string, node: Node): string {
  return node.type === "string" ? String(node.value) : text.slice(node.offset, endOf(node));
}

function find(root: Node, steps: readonly string[]): Node | undefined {
  return findNodeAtLocation(root, [...steps]);
}

function settingOf(text: string, key: string, value: string): Edit[] {
  const steps = stepsOf(key);
  const source = parseJsonSource(text);
  const existing = find(source.root, steps);
  if (existing?.type === "object") throw notReadable(NAME, `an object stands at ${key}`);
  if (existing !== undefined) {
    if (existing.type === "string" && existing.value === value) return [];
    return [edit(existing.offset, endOf(existing), JSON.stringify(value))];
  }
  let parent = source.root;
  let depth = 0;
  for (; depth < steps.length - 1; depth += 1) {
    const next = find(parent, [steps[depth] ?? ""]);
    if (next === undefined) break;
    parent = next;
  }
  if (parent.type !== "object") throw notReadable(NAME, `something else than an object stands above ${key}`);
  return insertion(text, source, parent, memberOf(steps.slice(depth), value));
}

function memberOf([first = "", ...rest]: readonly string[], value: string): string {
  const inner = rest.reduceRight(
    (source, step) => `{ ${JSON.stringify(step)}: ${source} }`,
    JSON.stringify(value),
  );
  return `${JSON.stringify(first)}: ${inner}`;
}

function insertion(text: string, { bare }: JsonSource, parent: Node, member: string): Edit[] {
  const last = membersOf(parent).at(-1);
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const outer = indentAt(text, parent.offset);
  if (last === undefined) {
    // Remarks alone stay.
    const inner = text.slice(parent.offset + 1, endOf(parent) - 1);
    const from = parent.offset + 1 + inner.trimEnd().length;
    return [edit(from, endOf(parent) - 1, `${newline}${outer}${INDENT}${member}${newline}${outer}`)];
  }
  const comma = commaBehind(bare, last);
  const place = endOfRemarks(text, comma === null ? endOf(last.value) : comma + 1);
  // In the manner of the member before: on its own line with its indent, or on the same line.
  const before = /[ \t\r\n]*$/.exec(text.slice(0, last.start))?.[0] ?? "";
  const blanks = before === "" ? " " : before;
  const isHidden = place.isLineRemark && !blanks.includes("\n");
  const put = `${isHidden ? newline + outer + INDENT : blanks}${member}${comma === null ? "" : ","}`;
  const added = edit(place.end, place.end, put);
  return comma === null ? [edit(endOf(last.value), endOf(last.value), ","), added] : [added];
}

/** Where a comma stands behind the member; null: nowhere. */
function commaBehind(bare: string, { value }: Member): number | null {
  const at = skipBlanks(bare, endOf(value));
  return bare[at] === "," ? at : null;
}

/** Behind the remarks of the same line, which belong to what stands before them. */
function endOfRemarks(text: string, from: number): { readonly end: number; readonly isLineRemark: boolean } {
  const remark = /[ \t]*(?:\/\*[\s\S]*?\*\/|(\/\/)[^\r\n]*)/y;
  let end = from;
  for (;;) {
    remark.lastIndex = end;
    const found = remark.exec(text);
    if (found === null) return { end, isLineRemark: false };
    end = remark.lastIndex;
    if (found[1] !== undefined) return { end, isLineRemark: true };
  }
}

function removalOf(text: string, steps: readonly string[]): Edit[] {
  const { root, bare } = parseJsonSource(text);
  const parent = find(root, steps.slice(0, -1));
  const members = parent?.type === "object" ? membersOf(parent) : [];
  const index = members.findIndex(({ key }) => key === steps.at(-1));
  const member = members[index];
  if (member === undefined) return [];
  const next = members[index + 1];
  const previous = members[index - 1];
  const end = endOf(member.value);
  const isPlain = (from: number, to: number) => text.slice(from, to) === bare.slice(from, to);
  if (next !== undefined && isPlain(member.start, next.start)) return [edit(member.start, next.start)];
  if (next === undefined && previous !== undefined && isPlain(endOf(previous.value), member.start))
    return [edit(endOf(previous.value), end)];
  // Remarks stand around it, and stay.
  const own = commaBehind(bare, member);
  const isJoined = own !== null && isPlain(end, own);
  const needless = own === null && previous !== undefined ? commaBehind(bare, previous) : null;
  const commas = isJoined ? [needless] : [own, needless];
  const [from, to] = wholeLine(text, member.start, isJoined ? own + 1 : end);
  return [edit(from, to), ...commas.flatMap((at) => (at === null ? [] : [edit(at, at + 1)]))];
}

/** The line where nothing else stands on it. */
function wholeLine(text: string, start: number, end: number): readonly [number, number] {
  const from = text.lastIndexOf("\n", start - 1) + 1;
  const newline = text.indexOf("\n", end);
  const isAlone = /^[ \t]*$/.test(text.slice(from, start)) && /^[ \t\r]*$/.test(text.slice(end, newline));
  return newline !== -1 && from > 0 && isAlone ? [from, newline + 1] : [start, end];
}

function indentAt(text: string, at: number): string {
  const line = text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
  return /^[ \t]*/.exec(line)?.[0] ?? "";
}

/** `content` in the place of what stands from `start` to before `end`. */
function edit(start: number, end: number, content = ""): Edit {
  return { offset: start, length: end - start, content };
}
