/**
 * Quotes words for a POSIX shell, so that each arrives exactly as it is. The one function for commands that are sent
 * and for commands that are printed to be copied.
 */
export function quoteWords(words: readonly string[]): string {
  return words.map(quoteWord).join(" ");
}

function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_@%+:,./-]+$/.test(word)) return word;
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
