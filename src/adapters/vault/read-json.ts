/** JSON of an answer, which whoever answers has made. Pure. */

/** Servers refuse requests that are deeper than 300; ten million brackets would cost a process gigabytes. */
export const MAX_DEPTH = 1_000;

/** Undefined: it is none, or nested deeper than any that is meant. */
export function readJson(text: string): unknown {
  if (text === "" || isDeeper(text, MAX_DEPTH)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Of a text that may be no JSON. Brackets within its texts do not count. */
function isDeeper(text: string, max: number): boolean {
  // So many cannot be in it.
  if (text.length <= max) return false;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    switch (text[at]) {
      case '"':
        at = endOfText(text, at);
        break;
      case "{":
      case "[":
        depth += 1;
        if (depth > max) return true;
        break;
      case "}":
      case "]":
        depth -= 1;
    }
  }
  return false;
}

/** Where the quote stands that ends it; the text's length: nowhere. */
function endOfText(text: string, begin: number): number {
  for (let at = text.indexOf('"', begin + 1); at !== -1; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text[at - 1 - slashes] === "\\") slashes += 1;
    if (slashes % 2 === 0) return at;
  }
  return text.length;
}
