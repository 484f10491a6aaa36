/**
 * Text in columns, as a terminal shows it: an ideograph takes two, an accent on a letter none.
 *
 * Only for commands that lay text out. string-width builds its sets of emoji when it is loaded, which takes a fifth of the
 * processor's time that a command takes to start; the shell's completion waits for such starts.
 */
import stringWidth from "string-width";

const ELLIPSIS = "…";

/** Of visible text, in columns. */
export function displayWidth(text: string): number {
  return stringWidth(text);
}

/** At most `width` columns; what is missing at the end is told by an ellipsis. */
export function cut(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  return `${fitting(charactersOf(text), width - 1).join("")}${ELLIPSIS}`;
}

/** At most `width` columns; an ellipsis stands for what is missing in the middle. */
export function cutMiddle(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  const kept = Math.max(0, width - 1);
  const behind = Math.floor(kept / 2);
  const characters = charactersOf(text);
  const end = fitting(characters.toReversed(), behind).toReversed();
  return `${fitting(characters, kept - behind).join("")}${ELLIPSIS}${end.join("")}`;
}

/** Filled up with blanks to `width` columns. */
export function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}

/** As a person counts them: what belongs to a letter stays with it. */
function charactersOf(text: string): readonly string[] {
  return [...new Intl.Segmenter().segment(text)].map(({ segment }) => segment);
}

/** Of the characters, the first that fit. */
function fitting(characters: readonly string[], width: number): readonly string[] {
  let left = width;
  const end = characters.findIndex((character) => {
    left -= displayWidth(character);
    return left < 0;
  });
  return end === -1 ? characters : characters.slice(0, end);
}
