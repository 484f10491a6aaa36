/** What npm's dotenv 16 and 17 make of a text: lib/main.js, LINE and parse, which this repository does not depend on. */
const LINE =
  /(?:^|^)\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?\s*(?:#.*)?(?:$|$)/gm;

export function npmDotenv(text: string): ReadonlyMap<string, string> {
  const lines = text.replaceAll(/\r\n?/g, "\n");
  return new Map([...lines.matchAll(LINE)].map(([, key = "", raw = ""]) => [key, unquoted(raw.trim())]));
}

function unquoted(raw: string): string {
  const inner = raw.replace(/^(['"`])([\s\S]*)\1$/gm, "$2");
  return raw.startsWith('"') ? inner.replaceAll("\\n", "\n").replaceAll("\\r", "\r") : inner;
}
