/**
 * Text from elsewhere (a host, a place, a person's config) made safe for a terminal or a page: control characters
 * could rewrite what an operator reads, and bidirectional marks could reorder it. They become visible instead.
 */
const DANGEROUS = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}]/gu;

/** One line: line breaks are shown as well. */
export function visibleLine(text: string): string {
  return text.replace(DANGEROUS, escaped);
}

/** Line breaks and tabs stay. */
export function visibleText(text: string): string {
  return text.replace(DANGEROUS, (character) =>
    character === "\n" || character === "\t" ? character : escaped(character),
  );
}

function escaped(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  return `\\u{${point.toString(16)}}`;
}
