/**
 * One YAML file → plain JSON and the position of everything in it. Aliases are followed; what makes a file mean
 * something else than it says is refused: duplicate keys, merge keys, tags, numbers that would not stay as they are
 * written.
 * Messages never quote the file, because a careless one holds a value.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  type Scalar,
  type YAMLError,
} from "yaml";
import type { ConfigPath, ConfigProblem } from "../../../protocol/config-problem.ts";
import { type LocatedProblem, type Location, locateProblem } from "./located.ts";

export type Plain = null | boolean | number | string | Plain[] | { [key: string]: Plain };

export interface YamlSource {
  readonly file: string;
  readonly value: Plain;
  readonly problems: readonly LocatedProblem[];
  /** The nearest thing that stands in the file: the key where there is one, otherwise the value. */
  locate(path: ConfigPath): Location;
}

/** An alias is walked wherever it stands; this bounds files that double themselves. */
const MAX_NODES = 50_000;

export function parseYaml(file: string, text: string): YamlSource {
  const lines = new LineCounter();
  // prettyErrors would quote the file's lines.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, stringKeys: true });
  const locationAt = (offset: number): Location => {
    const { line, col } = lines.linePos(offset);
    return { file, line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const syntax = [...document.errors, ...document.warnings]
    .map((error) => locateProblem({ path: [], ...wordSyntax(error) }, locationAt(error.pos[0])))
    // One mistake often reads as several at the same place.
    .filter(({ line }, index, all) => all.findIndex((other) => other.line === line) === index);
  const walk = new Walk(document, locationAt);
  const value = document.errors.length > 0 ? null : walk.toPlain(document.contents, []);
  return {
    file,
    value,
    problems: [...syntax, ...walk.problems],
    locate: (path) => walk.locate(path) ?? { file, line: 1, column: 1 },
  };
}

class Walk {
  readonly problems: LocatedProblem[] = [];
  readonly #document: Document.Parsed;
  readonly #locationAt: (offset: number) => Location;
  readonly #locations = new Map<string, Location>();
  readonly #open = new Set<Node>();
  #nodes = 0;

  constructor(document: Document.Parsed, locationAt: (offset: number) => Location) {
    this.#document = document;
    this.#locationAt = locationAt;
  }

  locate(path: ConfigPath): Location | null {
    for (let length = path.length; length >= 0; length -= 1) {
      const found = this.#locations.get(JSON.stringify(path.slice(0, length)));
      if (found !== undefined) return found;
    }
    return null;
  }

  toPlain(node: Node | null, path: ConfigPath): Plain {
    this.#nodes += 1;
    if (node === null) return null;
    this.#mark(path, node);
    if (this.#nodes > MAX_NODES) {
      if (this.#nodes === MAX_NODES + 1)
        this.#refuse(path, "is too large", "Split the file; aliases count as copies.");
      return null;
    }
    if (isAlias(node)) {
      const resolved = node.resolve(this.#document);
      if (resolved === undefined || this.#open.has(resolved)) {
        this.#refuse(path, "uses an alias that contains itself or does not exist", "Write it out.");
        return null;
      }
      return this.toPlain(resolved, path);
    }
    this.#open.add(node);
    const plain = this.#collectionOrScalar(node, path);
    this.#open.delete(node);
    return plain;
  }

  #collectionOrScalar(node: Node, path: ConfigPath): Plain {
    if (isSeq(node)) return node.items.map((item, index) => this.toPlain(asNode(item), [...path, index]));
    if (isMap(node)) {
      const entries: [string, Plain][] = [];
      for (const { key, value } of node.items) {
        if (!isScalar(key)) continue;
        const name = String(key.value);
        const at = [...path, name];
        this.#mark(at, key);
        if (isBroken(name)) {
          // Named by what it stands in: its own name cannot be printed.
          const problem = { path, message: "has a key that holds half a character", remedy: WHOLE };
          this.problems.push(locateProblem(problem, this.locate(at) ?? this.#locationAt(0)));
        } else if (name === "<<") {
          this.#refuse(
            at,
            "is a merge key, which hides the effective settings",
            "Write the keys out; aliases (*name) are fine.",
          );
        } else {
          entries.push([name, this.toPlain(asNode(value), at)]);
        }
      }
      return Object.fromEntries(entries);
    }
    return isScalar(node) ? this.#scalar(node, path) : null;
  }

  #scalar(node: Scalar, path: ConfigPath): Plain {
    const { value } = node;
    if (typeof value === "number" && !isAsWritten(node, value) && !isShare(node, path)) {
      this.#refuse(
        path,
        "is a number that would not keep its digits as they are written",
        'Put it in quotes ("…") if it is text; write a number in plain digits, without needless zeros.',
      );
      return null;
    }
    if (typeof value === "boolean" && !/^(?:true|false)$/i.test(node.source ?? String(value))) {
      this.#refuse(
        path,
        "is a word that reads as true or false",
        'Put it in quotes ("…"), or write true or false.',
      );
      return null;
    }
    if (typeof value === "string" && isBroken(value)) {
      this.#refuse(path, "holds half a character", WHOLE);
      return null;
    }
    if (value === null || ["string", "number", "boolean"].includes(typeof value)) return value as Plain;
    this.#refuse(
      path,
      "is of a kind that lockstep.yaml does not use",
      "Write text, a number, true or false.",
    );
    return null;
  }

  #mark(path: ConfigPath, node: Node): void {
    const id = JSON.stringify(path);
    if (!this.#locations.has(id) && node.range) this.#locations.set(id, this.#locationAt(node.range[0]));
  }

  #refuse(path: ConfigPath, message: string, remedy: string): void {
    const problem: ConfigProblem = { path, message, remedy };
    this.problems.push(locateProblem(problem, this.locate(path) ?? this.#locationAt(0)));
  }
}

const WHOLE = "Write the character itself, or both halves of its \\u escapes.";

/** Whoever gets it would put another character in its place, or refuse all of the file without naming the line. */
function isBroken(text: string): boolean {
  return /\p{Surrogate}/u.test(text);
}

/** `0600`, `1.10`, `0x1F`, `1e3`, `+49…` and ids of twenty digits read as other numbers, or other texts, than they look. */
function isAsWritten({ source }: Scalar, value: number): boolean {
  return Number.isFinite(value) && String(value) === (source ?? String(value));
}

/** `renew: { at: 0.50 }` is a number wherever it goes. */
function isShare({ source }: Scalar, path: ConfigPath): boolean {
  return path.at(-2) === "renew" && path.at(-1) === "at" && /^0\.\d{1,4}$/.test(source ?? "");
}

function asNode(value: unknown): Node | null {
  return isScalar(value) || isMap(value) || isSeq(value) || isAlias(value) ? value : null;
}

const SYNTAX: Readonly<Partial<Record<YAMLError["code"], readonly [message: string, remedy: string]>>> = {
  DUPLICATE_KEY: ["has the same key twice", "Keep one of them."],
  MULTIPLE_DOCS: ["holds several documents", "Put each into a file of its own and give several -f."],
  BAD_ALIAS: [
    "uses an alias that is not defined before",
    "Define it with &name above, or write the value out.",
  ],
  TAB_AS_INDENT: ["is indented with a tab", "Use spaces."],
  TAG_RESOLVE_FAILED: ["uses a tag that is not known", "Remove the !tag."],
  NON_STRING_KEY: ["has a key that is not text", "Use plain names as keys."],
  BAD_INDENT: ["is indented differently from what it belongs to", "Align it with its neighbours."],
  MISSING_CHAR: [
    "lacks a character, most likely a closing quote, bracket or colon",
    "Look at this line and the one before.",
  ],
  BAD_DQ_ESCAPE: [
    "has an unknown escape in double quotes",
    "Use single quotes, or write \\\\ for a backslash.",
  ],
};

function wordSyntax(error: YAMLError): { readonly message: string; readonly remedy: string } {
  const [message, remedy] = SYNTAX[error.code] ?? [
    "is not valid YAML",
    "Check indentation, quotes and colons here and on the line before.",
  ];
  return { message, remedy };
}
