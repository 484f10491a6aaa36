/** Places in a file of lines: where a quote closes, where blanks and lines end. Pure. */

/** `byPairs`: of two backslashes the first escapes the second. */
export function unescaped(text: string, quote: string, from: number, byPairs = false): number {
  for (let at = text.indexOf(quote, from); at !== -1; at = text.indexOf(quote, at + 1)) {
    let before = at;
    while (before > from && text[before - 1] === "\\") before -= 1;
    if (byPairs ? (at - before) % 2 === 0 : before === at) return at;
  }
  return -1;
}

export function blanksAt(text: string, at: number): number {
  const blanks = /[ \t]*/y;
  blanks.lastIndex = at;
  return blanks.exec(text)?.[0].length ?? 0;
}

export function blanksBefore(text: string, end: number): number {
  let at = end;
  while (text[at - 1] === " " || text[at - 1] === "\t") at -= 1;
  return at;
}

export function endOfLine(text: string, from: number): number {
  const pattern = /[\r\n]/g;
  pattern.lastIndex = from;
  return pattern.exec(text)?.index ?? text.length;
}

export function afterLineEnd(text: string, end: number): number {
  return end + (text.startsWith("\r\n", end) ? 2 : end < text.length ? 1 : 0);
}
