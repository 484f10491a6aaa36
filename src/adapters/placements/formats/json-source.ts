/**
 * A JSON text as a tree with the place of every value: enough to replace one and leave every other byte as it was. Microsoft's
 * jsonc-parser reads it, the parser of VS Code's own settings. It forgives more than a file of somebody else's allows, so
 * whatever it had to forgive is refused here, and so are keys that stand twice, which it does not look for.
 */
import { createScanner, type Node, type ParseError, parseTree } from "jsonc-parser";
import { BYTE_ORDER_MARK } from "../../../lib/hidden-text.ts";
import { markedFile } from "./doubts.ts";
import { notReadable } from "./format.ts";

const NAME = "json";

export interface JsonSource {
  readonly root: Node;
  /** The text with blanks in the place of its remarks: every character stands where it stood. */
  readonly bare: string;
}

const MAX_DEPTH = 200;

/**
 * JSON, and what editors' settings add to it: remarks, and a comma behind the last member. Throws TARGET_REFUSED for
 * anything else, and for an object at any depth that holds a key twice.
 */
export function parseJsonSource(text: string): JsonSource {
  if (text.startsWith(BYTE_ORDER_MARK)) throw markedFile(NAME, "JSON's readers refuse");
  const bare = withoutRemarks(text);
  const errors: ParseError[] = [];
  const root = parseTree(text, errors, { allowTrailingComma: true });
  if (root === undefined || errors.length > 0)
    throw notReadable(NAME, "it is not valid JSON, also where remarks and last commas are allowed");
  assertKeysOnce(root);
  return { root, bare };
}

/**
 * Refuses what is nested too deep, before it is parsed: the parser calls itself for each level, and the stack of a process
 * has an end. Not the library's `stripComments`: in 3.3.1 it puts one blank too many in the place of each remark.
 */
function withoutRemarks(text: string): string {
  const scanner = createScanner(text);
  let bare = "";
  for (let depth = 0; ; ) {
    scanner.scan();
    const start = scanner.getTokenOffset();
    const token = text.slice(start, start + scanner.getTokenLength());
    if (token === "") return bare;
    bare += token.startsWith("/") ? token.replace(/[^\r\n]/g, " ") : token;
    if (token === "{" || token === "[") depth += 1;
    if (token === "}" || token === "]") depth -= 1;
    if (depth > MAX_DEPTH) throw notReadable(NAME, `it is nested deeper than ${MAX_DEPTH}`);
  }
}

function assertKeysOnce(node: Node): void {
  const seen = new Set<unknown>();
  for (const child of node.children ?? []) {
    if (child.type === "property") {
      const key: unknown = child.children?.[0]?.value;
      if (seen.has(key)) throw notReadable(NAME, `the key "${String(key)}" stands there twice`);
      seen.add(key);
    }
    assertKeysOnce(child);
  }
}

/** Behind its last character. */
export function endOf({ offset, length }: Node): number {
  return offset + length;
}

export function skipBlanks(text: string, from: number): number {
  let at = from;
  while (/[ \t\r\n]/.test(text[at] ?? "")) at += 1;
  return at;
}
