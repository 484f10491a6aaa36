/**
 * The commands of a shell file, and whether sourcing the file surely runs each: what stands in a branch, a loop, a
 * function or a subshell, or hangs on another command's success, may run or not.
 */
import { notReadable } from "./format.ts";
import { type ShellToken, type ShellWord, shellTokens } from "./shell-words.ts";

const NAME = "shell";

export interface Statement {
  readonly words: readonly ShellWord[];
  /** False also where its output is piped, or it is sent to the background. */
  readonly surelyRuns: boolean;
  readonly redirected: boolean;
}

/** Words that open a group when they begin a command, with the word that closes it. */
const OPENS: Readonly<Record<string, string>> = {
  if: "fi",
  for: "done",
  while: "done",
  until: "done",
  select: "done",
  "{": "}",
};
/** After these a command begins. */
const CONTINUES = new Set(["then", "else", "elif", "do", "!", "time"]);
/** Closers, and the states of a `case`: its word, a pattern, a body. */
type Group = "fi" | "done" | "}" | ")" | "case-word" | "case-pattern" | "case-body";

/** Throws TARGET_REFUSED where the groups do not close, or shells disagree. */
export function shellStatements(text: string): readonly Statement[] {
  const reader = new StatementReader(text);
  for (const token of shellTokens(text)) reader.take(token);
  return reader.finished();
}

class StatementReader {
  readonly #text: string;
  readonly #found: Statement[] = [];
  readonly #groups: Group[] = [];
  #words: ShellWord[] = [];
  #redirected = false;
  /** What stands before the present command: `&&`, `||` and `|` make it hang on another. */
  #hangs = false;
  /** The next word is where a redirection goes, or a here-document's delimiter. */
  #skipsWord = false;

  constructor(text: string) {
    this.#text = text;
  }

  take(token: ShellToken): void {
    if (token.kind === "operator") this.#operator(token.text);
    else this.#word(token);
  }

  finished(): readonly Statement[] {
    this.#end(false);
    if (this.#groups.length > 0)
      throw notReadable(NAME, "an `if`, loop, `case`, brace or parenthesis is not closed");
    if (this.#hangs) throw notReadable(NAME, "its last command is not complete");
    return this.#found;
  }

  #word(word: ShellWord): void {
    if (this.#skipsWord) {
      this.#skipsWord = false;
      return;
    }
    const raw = this.#text.slice(word.start, word.end);
    const group = this.#groups.at(-1);
    if (group === "case-word") {
      if (raw === "in") this.#groups.splice(-1, 1, "case-pattern");
      return;
    }
    if (group === "case-pattern") {
      if (raw === "esac") this.#pop("case-pattern");
      return;
    }
    const [first] = this.#words;
    if (first !== undefined && this.#text.slice(first.start, first.end) === "function") this.#words = [];
    else if (first !== undefined || !this.#reserved(raw)) this.#words.push(word);
  }

  /** True when the word at a command's beginning is one of the shell's own. */
  #reserved(raw: string): boolean {
    const closer = OPENS[raw];
    if (closer !== undefined) {
      this.#groups.push(closer as Group);
      // `for name in …`: its words are looked at like a command's.
      return raw !== "for" && raw !== "select";
    }
    if (raw === "case") this.#groups.push("case-word");
    else if (raw === "esac") this.#pop("case-body");
    else if (raw === "fi" || raw === "done" || raw === "}") this.#pop(raw);
    else return CONTINUES.has(raw);
    return true;
  }

  #operator(operator: string): void {
    const group = this.#groups.at(-1);
    if (/[<>]/.test(operator)) {
      this.#redirected = true;
      this.#skipsWord = true;
      return;
    }
    this.#skipsWord = false;
    if (group === "case-pattern") {
      if (operator === ")") this.#groups.splice(-1, 1, "case-body");
      return;
    }
    if (operator === "(") {
      // After a name a function begins; after other words, what not every shell knows.
      this.#end(true);
      this.#groups.push(")");
    } else if (operator === ")") {
      this.#end(false);
      this.#pop(")");
    } else if (operator.startsWith(";;") || operator === ";&") {
      this.#end(false);
      if (this.#groups.at(-1) !== "case-body") throw notReadable(NAME, "`;;` stands outside of a `case`");
      this.#groups.splice(-1, 1, "case-pattern");
    } else {
      const continues = operator === "&&" || operator === "||" || operator.startsWith("|");
      // A line break after `&&` does not end the list.
      if (operator === "\n" && this.#words.length === 0 && this.#hangs) return;
      this.#end(continues || operator === "&");
      this.#hangs = continues;
    }
  }

  #end(hangsOnNext: boolean): void {
    if (this.#words.length > 0 || this.#redirected) {
      const surelyRuns = this.#groups.length === 0 && !this.#hangs && !hangsOnNext;
      this.#found.push({ words: this.#words, surelyRuns, redirected: this.#redirected });
      this.#hangs = false;
    }
    this.#words = [];
    this.#redirected = false;
  }

  #pop(expected: Group): void {
    this.#end(false);
    const group = this.#groups.pop();
    if (group !== expected) throw notReadable(NAME, "its groups do not close where they should");
    this.#hangs = false;
  }
}
