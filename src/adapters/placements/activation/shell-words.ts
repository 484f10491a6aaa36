/** A shell's text as the simple commands in it (POSIX.1-2024, Shell Command Language 2.3). Nothing is expanded. Pure. */

export interface ShellCommand {
  readonly words: readonly string[];
  /** It stands after `||`. */
  readonly isAlternative: boolean;
}

/** `$(which docker)` and `$(command -v docker)` are that program. */
const LOOKED_UP =
  /\$\(\s*(?:which|command\s+-v|type\s+-p)\s+([\w./-]+)\s*\)|`\s*(?:which|command\s+-v)\s+([\w./-]+)\s*`/g;
const OPERATOR = /^(?:&&|\|\||;;|[;&|()\n])/;
const REDIRECTION = /^[0-9]*(?:&>>|&>|>>|>&|<&|<<<|<<-?|<>|>\||>|<)/;

export function shellCommands(given: string): readonly ShellCommand[] {
  const text = given.replaceAll(LOOKED_UP, (_, first?: string, second?: string) => first ?? second ?? "");
  const commands: ShellCommand[] = [];
  let words: string[] = [];
  let isAlternative = false;
  let dropsNext = false;
  const end = (operator: string): void => {
    if (words.length > 0) commands.push({ words, isAlternative });
    words = [];
    isAlternative = operator === "||";
    dropsNext = false;
  };
  let rest = text;
  while (rest !== "") {
    const blank = /^(?:[ \t\r]|\\\n)+/.exec(rest)?.[0] ?? /^#[^\n]*/.exec(rest)?.[0] ?? "";
    if (blank !== "") {
      rest = rest.slice(blank.length);
      continue;
    }
    const redirection = REDIRECTION.exec(rest)?.[0];
    const operator = redirection === undefined ? OPERATOR.exec(rest)?.[0] : undefined;
    if (redirection !== undefined) dropsNext = true;
    if (operator !== undefined) end(operator);
    const length = (redirection ?? operator)?.length;
    if (length !== undefined) {
      rest = rest.slice(length);
      continue;
    }
    const { word, taken } = readWord(rest);
    if (!dropsNext) words.push(word);
    dropsNext = false;
    rest = rest.slice(taken);
  }
  end("");
  return commands;
}

/** One word with its quotes taken away, and how many characters it takes. */
function readWord(text: string): { readonly word: string; readonly taken: number } {
  let word = "";
  let at = 0;
  while (at < text.length) {
    const rest = text.slice(at);
    const part =
      /^'([^']*)'?/.exec(rest) ??
      /^"((?:[^"\\]|\\[\s\S])*)"?/.exec(rest) ??
      /^\\([\s\S]?)/.exec(rest) ??
      // A substitution is one part, with whatever stands in it.
      /^(\$\([^)]*\)?|\$\{[^}]*\}?|`[^`]*`?)/.exec(rest) ??
      /^([^\s'"\\$`;&|()<>]+|\$)/.exec(rest);
    if (part === null) break;
    const inner = part[1] ?? "";
    word += part[0].startsWith('"') ? inner.replaceAll(/\\(["\\$`])/g, "$1") : inner;
    at += part[0].length;
  }
  return at === 0 ? { word: text.slice(0, 1), taken: 1 } : { word, taken: at };
}
