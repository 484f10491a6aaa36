/**
 * A JSON file; the key is a path: `gateway.auth.token`, or a JSON pointer (RFC 6901) beginning with `/` where names
 * hold dots. Only the value's own text is replaced; missing parents are made. Remarks and a comma behind the last member
 * stay where they are; into a file without them none is written.
 */
import { type Format, keyInvalid, notReadable, notRepresentable } from "./format.ts";
import {
  type JsonMember,
  type JsonNode,
  type JsonSource,
  parseJsonSource,
  skipBlanks,
} from "./json-source.ts";

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
      if (node !== null) found.set(key, textOf(text, node));
    }
    return found;
  },
  keys: (text) => leavesOf(parseJsonSource(text).root, []),
  write(text, changes) {
    let written = text ?? "{}\n";
    for (const [key, value] of changes) {
      written = value === null ? removeKey(written, stepsOf(key)) : setKey(written, key, value);
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
function leavesOf(node: JsonNode, above: readonly string[]): readonly string[] {
  if (node.kind === "object") {
    return node.members.flatMap(({ key, value }) => (key === "" ? [] : leavesOf(value, [...above, key])));
  }
  return above.length === 0 ? [] : [keyOf(above)];
}

function keyOf(steps: readonly string[]): string {
  const plain = steps.join(".");
  if (!steps.some((step) => step.includes(".")) && !plain.startsWith("/")) return plain;
  return `/${steps.map((step) => step.replaceAll("~", "~0").replaceAll("/", "~1")).join("/")}`;
}

/** A text is its content; anything else is its source, which no version of ours equals. */
function textOf(text: string, node: JsonNode): string {
  const source = text.slice(node.start, node.end);
  return source.startsWith('"') ? (JSON.parse(source) as string) : source;
}

function find(root: JsonNode, steps: readonly string[]): JsonNode | null {
  let node: JsonNode = root;
  for (const step of steps) {
    const member = node.kind === "object" ? node.members.find(({ key }) => key === step) : undefined;
    if (member === undefined) return null;
    node = member.value;
  }
  return node;
}

function setKey(text: string, key: string, value: string): string {
  const steps = stepsOf(key);
  const source = parseJsonSource(text);
  const existing = find(source.root, steps);
  if (existing?.kind === "object") throw notReadable(NAME, `an object stands at ${key}`);
  if (existing !== null) {
    if (text[existing.start] === '"' && textOf(text, existing) === value) return text;
    return replace(text, existing.start, existing.end, JSON.stringify(value));
  }
  let parent: JsonNode = source.root;
  let depth = 0;
  for (; depth < steps.length - 1; depth += 1) {
    const next = find(parent, [steps[depth] ?? ""]);
    if (next === null) break;
    parent = next;
  }
  if (parent.kind !== "object") throw notReadable(NAME, `something else than an object stands above ${key}`);
  return insert(text, source, parent, memberOf(steps.slice(depth), value));
}

function memberOf([first = "", ...rest]: readonly string[], value: string): string {
  const inner = rest.reduceRight(
    (source, step) => `{ ${JSON.stringify(step)}: ${source} }`,
    JSON.stringify(value),
  );
  return `${JSON.stringify(first)}: ${inner}`;
}

type JsonObject = JsonNode & { readonly kind: "object" };

function insert(text: string, { bare }: JsonSource, parent: JsonObject, member: string): string {
  const last = parent.members.at(-1);
  const newline = text.includes("\r\n") ? "\r\n" : "\n";
  const outer = indentAt(text, parent.start);
  if (last === undefined) {
    // Remarks alone stay.
    const held = text.slice(parent.start + 1, parent.end - 1).trimEnd();
    const made = `{${held}${newline}${outer}${INDENT}${member}${newline}${outer}}`;
    return replace(text, parent.start, parent.end, made);
  }
  const comma = commaBehind(bare, last);
  const place = endOfRemarks(text, comma === null ? last.value.end : comma + 1);
  // In the manner of the member before: on its own line with its indent, or on the same line.
  const before = /[ \t\r\n]*$/.exec(text.slice(0, last.start))?.[0] ?? "";
  const blanks = before === "" ? " " : before;
  const isHidden = place.isLineRemark && !blanks.includes("\n");
  const put = `${isHidden ? newline + outer + INDENT : blanks}${member}${comma === null ? "" : ","}`;
  const written = replace(text, place.end, place.end, put);
  return comma === null ? replace(written, last.value.end, last.value.end, ",") : written;
}

/** Where a comma stands behind the member; null: nowhere. */
function commaBehind(bare: string, { value }: JsonMember): number | null {
  const at = skipBlanks(bare, value.end);
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

function removeKey(text: string, steps: readonly string[]): string {
  const { root, bare } = parseJsonSource(text);
  const parent = find(root, steps.slice(0, -1));
  if (parent?.kind !== "object") return text;
  const index = parent.members.findIndex(({ key }) => key === steps.at(-1));
  const member = parent.members[index];
  if (member === undefined) return text;
  const next = parent.members[index + 1];
  const previous = parent.members[index - 1];
  const isPlain = (from: number, to: number) => text.slice(from, to) === bare.slice(from, to);
  if (next !== undefined && isPlain(member.start, next.start))
    return replace(text, member.start, next.start, "");
  const end = member.value.end;
  if (next === undefined && previous !== undefined && isPlain(previous.value.end, member.start))
    return replace(text, previous.value.end, end, "");
  // Remarks stand around it, and stay.
  const own = commaBehind(bare, member);
  const isJoined = own !== null && isPlain(end, own);
  const needless = own === null && previous !== undefined ? commaBehind(bare, previous) : null;
  const commas = isJoined ? [needless] : [own, needless];
  const cuts = [wholeLine(text, member.start, isJoined ? own + 1 : end), ...commas.flatMap(oneAt)];
  return cuts
    .toSorted(([left], [right]) => right - left)
    .reduce((written, [from, to]) => replace(written, from, to, ""), text);
}

function oneAt(at: number | null): readonly (readonly [number, number])[] {
  return at === null ? [] : [[at, at + 1]];
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

function replace(text: string, start: number, end: number, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}
