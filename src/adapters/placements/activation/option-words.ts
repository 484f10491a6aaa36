/** Options of a program before its first other word. Pure. */

export interface OptionWords {
  /** Letters of short options that take the next word. */
  readonly short?: string;
  /** Long ones that do, without their dashes. */
  readonly long?: readonly string[];
}

/** The words from the first one that is neither an option nor an option's value. */
export function afterOptions(
  words: readonly string[],
  { short = "", long = [] }: OptionWords,
): readonly string[] {
  let at = 0;
  while (at < words.length) {
    const word = words[at] ?? "";
    if (word === "--") return words.slice(at + 1);
    if (!word.startsWith("-") || word === "-") break;
    const takesNext = word.startsWith("--")
      ? !word.includes("=") && long.includes(word.slice(2))
      : // `-n5` and `-fFILE` bring their value along; `-xf FILE` takes the next word.
        short.includes(word.at(-1) ?? "") && ![...word.slice(1, -1)].some((letter) => short.includes(letter));
    at += takesNext ? 2 : 1;
  }
  return words.slice(at);
}
