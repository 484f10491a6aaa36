/**
 * Quotes one word for a POSIX shell. Every command that Lockstep prints for a person to copy goes through here, so
 * that a path or name from elsewhere cannot become a second command.
 *
 * Control characters are quoted too, but a terminal would act on them: show the result through `visibleLine`.
 */
const PLAIN = /^[A-Za-z0-9_@%+=:,./-]+$/;

export function shellQuote(word: string): string {
  // zsh expands a word that begins with =.
  if (PLAIN.test(word) && !word.startsWith("=")) return word;
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** A whole command line. A first word like `A=b` is quoted, or the shell would take it for an assignment. */
export function shellCommand(words: readonly string[]): string {
  const [program = "", ...rest] = words;
  const quoted = shellQuote(program);
  return [
    quoted === program && program.includes("=") ? `'${program}'` : quoted,
    ...rest.map(shellQuote),
  ].join(" ");
}
