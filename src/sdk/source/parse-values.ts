/** Two values out of a text. Pure. The dialects are those that Lockstep writes. */
import type { SlotNames, Values } from "./values.ts";

/** An assignment as dotenv 16 and 17 recognise it (their LINE expression). */
const LINE =
  /^[ \t]*(?:export[ \t]+)?([\w.-]+)(?:[ \t]*=[ \t]*?|:[ \t]+?)([ \t]*'(?:\\'|[^'])*'|[ \t]*"(?:\\"|[^"])*"|[ \t]*`(?:\\`|[^`])*`|[^#\r\n]+)?[ \t]*(?:#[^\r\n]*)?$/gm;

/** As dotenv reads it: the last assignment wins, nothing is expanded but line ends in double quotes. */
export function parseDotenv(text: string, names: SlotNames): Partial<Values> {
  const found = new Map([...text.matchAll(LINE)].map(([, key = "", raw = ""]) => [key, unquote(raw.trim())]));
  return { primary: found.get(names.primary), fallback: found.get(names.fallback) };
}

function unquote(raw: string): string {
  const inner = raw.replace(/^(['"`])([\s\S]*)\1$/, "$2");
  return raw.startsWith('"') ? inner.replaceAll("\\n", "\n").replaceAll("\\r", "\r") : inner;
}

/** `null` when the text is not JSON: the parser's own error would hold a piece of it. */
export function parseJson(text: string, names: SlotNames): Partial<Values> | null {
  let root: unknown;
  try {
    root = JSON.parse(text);
  } catch {
    return null;
  }
  return { primary: textAt(root, names.primary), fallback: textAt(root, names.fallback) };
}

function textAt(root: unknown, name: string): string | undefined {
  let node = root;
  for (const step of stepsOf(name)) {
    if (typeof node !== "object" || node === null || !Object.hasOwn(node, step)) return undefined;
    node = (node as Readonly<Record<string, unknown>>)[step];
  }
  return typeof node === "string" ? node : undefined;
}

function stepsOf(name: string): readonly string[] {
  if (!name.startsWith("/")) return name.split(".");
  const steps = name.slice(1).split("/");
  return steps.map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}
