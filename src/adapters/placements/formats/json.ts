/**
 * A JSON file; the key is a path: `gateway.auth.token`, or a JSON pointer (RFC 6901) beginning with `/` where names
 * hold dots. Only the value's own text is replaced; missing parents are made.
 */
import { type Format, keyInvalid, notReadable, notRepresentable } from "./format.ts";
import { type JsonNode, parseJsonSource } from "./json-source.ts";

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
    const root = parseJsonSource(text);
    const found = new Map<string, string>();
    for (const key of keys) {
      const node = find(root, stepsOf(key));
      if (node !== null) found.set(key, textOf(text, node));
    }
    return found;
  },
  keys: (text) => leavesOf(parseJsonSource(text), []),
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
  const root = parseJsonSource(text);
  const existing = find(root, steps);
  if (existing?.kind === "object") throw notReadable(NAME, `an object stands at ${key}`);
  if (existing !== null) return replace(text, existing.start, existing.end, JSON.stringify(value));
  let parent: JsonNode = root;
  let depth = 0;
  for (; depth < steps.length - 1; depth += 1) {
    const next = find(parent, [steps[depth] ?? ""]);
    if (next === null) break;
    parent = next;
  }
  if (parent.kind !== "object") throw notReadable(NAME, `something else than an object stands above ${key}`);
  return insert(text, parent, steps.slice(depth), value);
}

function insert(
  text: string,
  parent: JsonNode & { readonly kind: "object" },
  steps: readonly string[],
  value: string,
): string {
  const [first = "", ...rest] = steps;
  const inner = rest.reduceRight(
    (source, step) => `{ ${JSON.stringify(step)}: ${source} }`,
    JSON.stringify(value),
  );
  const member = `${JSON.stringify(first)}: ${inner}`;
  const last = parent.members.at(-1);
  if (last === undefined) {
    const outer = indentAt(text, parent.start);
    return replace(text, parent.start, parent.end, `{\n${outer}${INDENT}${member}\n${outer}}`);
  }
  // In the manner of the member before: on its own line with its indent, or on the same line.
  const before = text.slice(0, last.start);
  const blanks = /[ \t\r\n]*$/.exec(before)?.[0] ?? "";
  return replace(text, last.value.end, last.value.end, `,${blanks === "" ? " " : blanks}${member}`);
}

function removeKey(text: string, steps: readonly string[]): string {
  const parent = find(parseJsonSource(text), steps.slice(0, -1));
  if (parent?.kind !== "object") return text;
  const index = parent.members.findIndex(({ key }) => key === steps.at(-1));
  const member = parent.members[index];
  if (member === undefined) return text;
  const next = parent.members[index + 1];
  if (next !== undefined) return replace(text, member.start, next.start, "");
  const previous = parent.members[index - 1];
  return replace(text, previous?.value.end ?? member.start, member.value.end, "");
}

function indentAt(text: string, at: number): string {
  const line = text.slice(text.lastIndexOf("\n", at - 1) + 1, at);
  return /^[ \t]*/.exec(line)?.[0] ?? "";
}

function replace(text: string, start: number, end: number, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}
