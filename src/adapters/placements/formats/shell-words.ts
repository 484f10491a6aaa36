/**
 * A shell file cut into words and operators as POSIX sh, bash, ksh and zsh agree to cut it; nothing is executed. What
 * they do not agree on is refused, and a word whose value only a running shell knows has the value null.
 */
import { notReadable } from "./format.ts";

const NAME = "shell";

export interface ShellWord {
  readonly kind: "word";
  readonly start: number;
  readonly end: number;
  /** What every shell makes of it without running anything; null when that is not known. */
  readonly value: string | null;
}

export interface ShellOperator {
  readonly kind: "operator";
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export type ShellToken = ShellWord | ShellOperator;

const OPERATOR = /;;&|;;|;&|&&|\|\||<<<|<<-?|<>|<&|>>|>&|>\||&>>?|\|&|[;&|()<>\n]/y;
/** Unquoted characters that stand for themselves everywhere: no pattern, no tilde, no brace, no `=command` of zsh. */
const PLAIN = /[A-Za-z0-9_@%+.,:/-]/;
const BEGINS = /^$|:$|^[A-Za-z_][A-Za-z0-9_]*\+?=$/;
const ASSIGNS = /^[A-Za-z_][A-Za-z0-9_]*(?:\[[^\]]*\])?\+?=$/;

export function shellTokens(text: string): readonly ShellToken[] {
  if (text.includes("\r\n")) {
    throw notReadable(
      NAME,
      "it has Windows line ends, which shells take for a part of values",
      "Take them out there: `sed -i 's/\\r$//'` and the file's name, or save it with Unix line ends.",
    );
  }
  return new Cutter(text).all();
}

class Cutter {
  readonly #text: string;
  readonly #tokens: ShellToken[] = [];
  /** Delimiters of here-documents whose bodies begin on the next line. */
  readonly #pending: { readonly delimiter: string; readonly tabs: boolean }[] = [];
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  all(): readonly ShellToken[] {
    while (this.#skipBlanks()) {
      OPERATOR.lastIndex = this.#at;
      const operator = OPERATOR.exec(this.#text)?.[0];
      if (operator === undefined) this.#word();
      else this.#operator(operator);
    }
    if (this.#pending.length > 0) throw notReadable(NAME, "a here-document is not closed");
    return this.#tokens;
  }

  /** Blanks, joined lines and comments. False at the end. */
  #skipBlanks(): boolean {
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) return false;
      if (char === " " || char === "\t") this.#at += 1;
      else if (char === "\\" && this.#text[this.#at + 1] === "\n") this.#at += 2;
      else if (char === "#") this.#at = indexOr(this.#text.indexOf("\n", this.#at), this.#text.length);
      else return true;
    }
  }

  #operator(operator: string): void {
    const start = this.#at;
    this.#at += operator.length;
    this.#tokens.push({ kind: "operator", text: operator, start, end: this.#at });
    if (operator === "<<" || operator === "<<-") {
      this.#skipBlanks();
      const from = this.#at;
      this.#word();
      const delimiter = this.#text.slice(from, this.#at).replaceAll(/["'\\]/g, "");
      if (!/^[\w.!-]+$/.test(delimiter)) throw notReadable(NAME, "a here-document has an unusual delimiter");
      this.#pending.push({ delimiter, tabs: operator === "<<-" });
    } else if (operator === "\n") {
      for (const { delimiter, tabs } of this.#pending.splice(0)) this.#skipBody(delimiter, tabs);
    }
  }

  #skipBody(delimiter: string, tabs: boolean): void {
    while (this.#at < this.#text.length) {
      const end = indexOr(this.#text.indexOf("\n", this.#at), this.#text.length);
      const line = this.#text.slice(this.#at, end);
      this.#at = Math.min(end + 1, this.#text.length);
      if ((tabs ? line.replace(/^\t+/, "") : line) === delimiter) return;
    }
    throw notReadable(NAME, "a here-document is not closed");
  }

  #word(): void {
    const start = this.#at;
    let value: string | null = "";
    const add = (piece: string | null) => {
      value = value === null || piece === null ? null : value + piece;
    };
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined || /[ \t\n;&|<>)]/.test(char)) break;
      if (char === "(") {
        // `name=(…)` is an array; any other parenthesis is an operator.
        if (!ASSIGNS.test(this.#text.slice(start, this.#at))) break;
        this.#at = this.#endOfParentheses(this.#at);
        add(null);
      } else if (char === "'") add(this.#single());
      else if (char === '"') add(this.#double());
      else if (char === "`" || char === "$") add(this.#expansion());
      else if (char === "\\") add(this.#escaped());
      else {
        this.#at += 1;
        // At a value's beginning and after a colon zsh expands `=command`.
        const known = char === "=" ? !BEGINS.test(this.#text.slice(start, this.#at - 1)) : PLAIN.test(char);
        add(known ? char : null);
      }
    }
    if (this.#at === start) throw notReadable(NAME, "it holds what is not a word");
    this.#tokens.push({ kind: "word", start, end: this.#at, value });
  }

  #escaped(): string {
    const char = this.#text[this.#at + 1];
    if (char === undefined) throw notReadable(NAME, "it ends in a backslash, which would join the next line");
    this.#at += 2;
    return char === "\n" ? "" : char;
  }

  #single(): string {
    const close = this.#text.indexOf("'", this.#at + 1);
    if (close === -1) throw notReadable(NAME, "a single quote is not closed");
    const inner = this.#text.slice(this.#at + 1, close);
    this.#at = close + 1;
    return inner;
  }

  #double(): string | null {
    let value: string | null = "";
    const add = (piece: string | null) => {
      value = value === null || piece === null ? null : value + piece;
    };
    this.#at += 1;
    for (;;) {
      const char = this.#text[this.#at];
      if (char === undefined) throw notReadable(NAME, "a double quote is not closed");
      if (char === '"') break;
      if (char === "`" || char === "$") add(this.#expansion({ quoted: true }));
      else if (char === "\\") {
        const next = this.#text[this.#at + 1] ?? "";
        this.#at += 2;
        add(next === "\n" ? "" : /["\\$`]/.test(next) ? next : `\\${next}`);
      } else {
        this.#at += 1;
        add(char);
      }
    }
    this.#at += 1;
    return value;
  }

  /** What begins with `$` or a backtick. Its value is never known, its end is. */
  #expansion({ quoted = false } = {}): null {
    const text = this.#text;
    if (text[this.#at] === "`") {
      this.#at = this.#endOfBackticks(this.#at);
      return null;
    }
    const next = text[this.#at + 1];
    if (next === "(") this.#at = this.#endOfParentheses(this.#at + 1);
    else if (next === "{") this.#at = this.#endOfBraces(this.#at + 1);
    else if (next === "'" && !quoted) {
      this.#at += 1;
      // bash reads `\'` in it as a quote, POSIX sh as its end.
      if (this.#single().endsWith("\\")) throw notReadable(NAME, "shells read its $'…' differently");
    } else this.#at += 1;
    return null;
  }

  #endOfBackticks(from: number): number {
    for (let at = from + 1; at < this.#text.length; at += 1) {
      if (this.#text[at] === "\\") at += 1;
      else if (this.#text[at] === "`") return at + 1;
    }
    throw notReadable(NAME, "a backtick is not closed");
  }

  /** Behind the `)` that closes the `(` at `from`: a shell's text of its own, cut by the same rules. */
  #endOfParentheses(from: number): number {
    const inner = new Cutter(this.#text);
    inner.#at = from + 1;
    for (let depth = 1; inner.#skipBlanks(); ) {
      OPERATOR.lastIndex = inner.#at;
      const operator = OPERATOR.exec(this.#text)?.[0];
      if (operator === undefined) {
        inner.#word();
        const word = inner.#tokens.at(-1);
        if (word?.kind === "word" && word.value === "case")
          throw notReadable(NAME, "a `case` stands inside parentheses, whose end is then not certain");
        continue;
      }
      if (operator === "<<" && this.#text.startsWith("((", from)) inner.#at += 2;
      else inner.#operator(operator);
      if (operator === "(") depth += 1;
      if (operator === ")") depth -= 1;
      if (depth === 0) return inner.#at;
    }
    throw notReadable(NAME, "a parenthesis is not closed");
  }

  #endOfBraces(from: number): number {
    const inner = new Cutter(this.#text);
    inner.#at = from + 1;
    while (inner.#at < this.#text.length) {
      const char = this.#text[inner.#at];
      if (char === "}") return inner.#at + 1;
      if (char === "'") throw notReadable(NAME, "shells read a single quote in its ${…} differently");
      if (char === '"') inner.#double();
      else if (char === "`" || char === "$") inner.#expansion();
      else if (char === "\\") inner.#at += 2;
      else inner.#at += 1;
    }
    throw notReadable(NAME, "a brace is not closed");
  }
}

function indexOr(index: number, otherwise: number): number {
  return index === -1 ? otherwise : index;
}
