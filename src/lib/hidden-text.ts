/**
 * Characters that nobody sees and that come along when text is copied: format characters such as the byte order mark and
 * the zero-width space, and blanks other than space and tab. Pure.
 */
const HIDDEN = /[\p{Cf}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/gu;
export const BYTE_ORDER_MARK = "\uFEFF";

/** The text as a person sees it; the same text where nothing is hidden. */
export function asSeen(text: string): string {
  return text.replace(HIDDEN, "");
}

/**
 * What a person who hands a value over most likely does not mean, in words that follow "it": `ends with a carriage return`.
 * Null: its ends are as they look.
 */
export function unmeantEnds(value: string): string | null {
  const [first = ""] = value;
  const last = [...value.slice(-2)].at(-1) ?? "";
  if (first !== asSeen(first)) return `begins with ${nameOf(first)}`;
  if (last !== asSeen(last)) return `ends with ${nameOf(last)}`;
  return last === "\r" ? "ends with a carriage return" : null;
}

/** UTF-16 of plain letters, read byte by byte: every second one is null. */
export function looksLikeUtf16(text: string): boolean {
  const start = text.slice(0, 64);
  return /^(?:[^\0]\0){2,}[^\0]?$/u.test(start) || /^(?:\0[^\0]){2,}\0?$/u.test(start);
}

function nameOf(character: string): string {
  if (character === BYTE_ORDER_MARK) return "a byte order mark (U+FEFF)";
  const point = (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, "0");
  return `a character that cannot be seen (U+${point})`;
}
