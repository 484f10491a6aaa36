/**
 * An XML property list with the place of every value: enough to replace one and leave every other byte as it was.
 *
 * Reads less than XML: what Apple's own reader, expat and the like could take differently (entities of one's own,
 * attributes, processing instructions, a key twice) is refused rather than guessed.
 */
import { notReadable } from "./format.ts";

const NAME = "plist";
const MAX_DEPTH = 64;
const BLANKS = /[ \t\r\n]*/y;
/** `<name>`, `<name/>` or `</name>`; attributes only where `plist` carries its version. */
const TAG = /<(\/?)(\w+)((?:\s+version="[^"<&]*")?)\s*(\/?)>/y;
const PROLOGUE =
  /\uFEFF?(?:<\?xml\s+version="1\.0"(?:\s+encoding="([\w.-]+)")?(?:\s+standalone="\w+")?\s*\?>)?/y;
/** Without an internal subset: nobody defines entities. */
const DOCTYPE = /<!DOCTYPE\s+plist\s+(?:PUBLIC\s+"[^"<&]*"|SYSTEM)\s+"[^"<&]*"\s*>/y;
const LEAVES = new Set(["string", "integer", "real", "date", "data", "true", "false"]);
const ENTITIES: Readonly<Record<string, string>> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

export type PlistNode = PlistDict | PlistString | PlistOther;

export interface PlistDict {
  readonly kind: "dict";
  readonly start: number;
  readonly end: number;
  /** `<dict/>`: nothing can be inserted between its tags. */
  readonly selfClosing: boolean;
  /** Of its closing tag. */
  readonly closeAt: number;
  readonly members: readonly PlistMember[];
}

interface PlistString {
  readonly kind: "string";
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

interface PlistOther {
  readonly kind: "other";
  readonly start: number;
  readonly end: number;
}

export interface PlistMember {
  readonly key: string;
  /** Of `<key>`. */
  readonly start: number;
  /** Behind `</key>`. */
  readonly keyEnd: number;
  readonly value: PlistNode;
}

/** The root dict. Throws TARGET_REFUSED for anything that is not a plain XML plist with a dict at its root. */
export function parsePlistSource(text: string): PlistDict {
  if (text.startsWith("bplist")) {
    throw notReadable(NAME, "it is a binary property list; `plutil -convert xml1` makes it one of text");
  }
  return new Reader(text).document();
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): PlistDict {
    const encoding = this.#match(PROLOGUE)?.[1] ?? "UTF-8";
    if (!/^utf-8$/i.test(encoding)) throw notReadable(NAME, "it says that it is not UTF-8");
    this.#skipBlanks();
    this.#match(DOCTYPE);
    this.#skipBlanks();
    this.#open("plist");
    this.#skipBlanks();
    const root = this.#value(0);
    if (root.kind !== "dict") throw notReadable(NAME, "its root is not a dict");
    this.#skipBlanks();
    this.#close("plist");
    this.#skipBlanks();
    if (this.#at !== this.#text.length) throw notReadable(NAME, "something stands behind its end");
    return root;
  }

  #value(depth: number): PlistNode {
    if (depth > MAX_DEPTH) throw notReadable(NAME, `it is nested deeper than ${MAX_DEPTH}`);
    const start = this.#at;
    const { name, selfClosing } = this.#tag();
    if (name === "dict") return this.#dict(start, selfClosing, depth);
    if (name === "array") {
      if (!selfClosing) this.#array(depth);
      return { kind: "other", start, end: this.#at };
    }
    if (!LEAVES.has(name)) throw notReadable(NAME, "it holds an element that property lists do not have");
    const text = selfClosing ? "" : this.#content(name);
    const end = this.#at;
    return name === "string" ? { kind: "string", start, end, text } : { kind: "other", start, end };
  }

  #dict(start: number, selfClosing: boolean, depth: number): PlistDict {
    const members: PlistMember[] = [];
    const seen = new Set<string>();
    let closeAt = this.#at;
    while (!selfClosing) {
      this.#skipBlanks();
      closeAt = this.#at;
      if (this.#text.startsWith("</", this.#at)) {
        this.#close("dict");
        break;
      }
      const at = this.#at;
      this.#open("key");
      const key = this.#content("key");
      // Readers differ in which of two counts.
      if (seen.has(key)) throw notReadable(NAME, "a key stands twice in one dict");
      seen.add(key);
      const keyEnd = this.#at;
      this.#skipBlanks();
      members.push({ key, start: at, keyEnd, value: this.#value(depth + 1) });
    }
    return { kind: "dict", start, end: this.#at, selfClosing, closeAt, members };
  }

  #array(depth: number): void {
    for (;;) {
      this.#skipBlanks();
      if (this.#text.startsWith("</", this.#at)) {
        this.#close("array");
        return;
      }
      this.#value(depth + 1);
    }
  }

  /** Text up to the closing tag of `name`, which is taken too. */
  #content(name: string): string {
    let content = "";
    for (;;) {
      const stop = this.#text.slice(this.#at).search(/[<&]/);
      if (stop === -1) throw notReadable(NAME, `a <${name}> is not closed`);
      const literal = this.#text.slice(this.#at, this.#at + stop);
      if (literal.includes("]]>")) throw notReadable(NAME, "it is not well-formed XML");
      content += literal;
      this.#at += stop;
      if (this.#text[this.#at] === "&") content += this.#entity();
      else if (this.#text.startsWith("<![CDATA[", this.#at)) content += this.#cdata();
      else break;
    }
    this.#close(name);
    // XML's own rule for line ends (XML 1.0, 2.11); Apple's reader keeps them, so such a text never counts as equal.
    return content;
  }

  #entity(): string {
    const reference = this.#match(/&(?:(lt|gt|amp|quot|apos)|#([0-9]{1,7})|#x([0-9a-fA-F]{1,6}));/y);
    if (reference === null) throw notReadable(NAME, "it uses an entity that property lists do not have");
    const [, named, decimal, hex = "0"] = reference;
    if (named !== undefined) return ENTITIES[named] ?? "";
    const point = decimal === undefined ? Number.parseInt(hex, 16) : Number.parseInt(decimal, 10);
    if (point === 0 || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) {
      throw notReadable(NAME, "it refers to a character that does not exist");
    }
    return String.fromCodePoint(point);
  }

  #cdata(): string {
    const from = this.#at + "<![CDATA[".length;
    const end = this.#text.indexOf("]]>", from);
    if (end === -1) throw notReadable(NAME, "a CDATA section is not closed");
    this.#at = end + "]]>".length;
    return this.#text.slice(from, end);
  }

  #open(name: string): void {
    const tag = this.#tag();
    if (tag.name !== name || tag.selfClosing) throw notReadable(NAME, `a <${name}> is missing`);
  }

  #tag(): { readonly name: string; readonly selfClosing: boolean } {
    const [, closing, name = "", attributes, slash] = this.#match(TAG) ?? [];
    if (name === "" || closing === "/" || (attributes !== "" && name !== "plist")) {
      throw notReadable(NAME, "it is not an XML property list, or holds what none needs");
    }
    return { name, selfClosing: slash === "/" };
  }

  #close(name: string): void {
    const [, closing, found, attributes, slash] = this.#match(TAG) ?? [];
    if (closing !== "/" || found !== name || attributes !== "" || slash !== "") {
      throw notReadable(NAME, `a <${name}> is not closed`);
    }
  }

  /** Blanks and comments. */
  #skipBlanks(): void {
    for (;;) {
      this.#match(BLANKS);
      if (!this.#text.startsWith("<!--", this.#at)) return;
      const from = this.#at + "<!--".length;
      const end = this.#text.indexOf("--", from);
      if (end === -1 || this.#text[end + 2] !== ">") throw notReadable(NAME, "a comment is not closed");
      this.#at = end + "-->".length;
    }
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found !== null) this.#at += found[0].length;
    return found;
  }
}
