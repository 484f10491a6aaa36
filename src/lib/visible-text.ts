/**
 * Text from elsewhere (a host, a place, a person's config) made safe for a terminal or a page: control characters
 * could rewrite what an operator reads, and bidirectional marks could reorder it. They become visible instead.
 */
const DANGEROUS =
  /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}\p{Variation_Selector}]|[\u115f\u1160\u3164\uffa0]|\u034f/gu;

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

/** Visible, and no longer than that many characters; what is missing is told by an ellipsis. */
export function boundedLine(text: string, max: number): string {
  return cut(visibleLine(text.slice(0, max + 1)), max);
}

/** As `boundedLine`; line breaks and tabs stay. */
export function boundedText(text: string, max: number): string {
  return cut(visibleText(text.slice(0, max + 1)), max);
}

function cut(text: string, max: number): string {
  if (text.length <= max) return text;
  // Half of a pair would be shown as a character of its own.
  return `${text.slice(0, max - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

/** JSON with the same meaning in which nothing steers a terminal. JSON itself escapes the controls below U+0020. */
export function visibleJson(json: string): string {
  return json.replace(DANGEROUS, (character) =>
    // What indents it; within its texts JSON has escaped them already.
    character === "\n"
      ? character
      : Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
          .map((unit) => `\\u${unit.toString(16).padStart(4, "0")}`)
          .join(""),
  );
}

function escaped(character: string): string {
  const point = character.codePointAt(0) ?? 0;
  return `\\u{${point.toString(16)}}`;
}
