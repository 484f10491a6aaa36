/**
 * What programs make of one assignment in a `.env` file: there is no standard, and they differ in quotes, escapes, `$` and
 * `#`. Each model answers the value, or null where the program expands something, or its releases differ. Pure; the models
 * are held to the programs themselves by test/placements/dotenv-readers.test.ts.
 *
 *   dotenv         npm's dotenv 16 and 17 (their LINE expression, then lib/main.js)
 *   node           `node --env-file`, util.parseEnv
 *   python-dotenv  python-dotenv (parser.py; variables.py expands `${…}` in any quotes)
 *   compose        docker compose's env_file (compose-go's dotenv/parser.go)
 *   sh             a shell that sources the file: bash, dash, ksh, zsh
 */

export const DOTENV_READERS = ["dotenv", "node", "python-dotenv", "compose", "sh"] as const;
export type DotenvReader = (typeof DOTENV_READERS)[number];

/** What is written without a named reader, each of them reads right. */
const ALL = DOTENV_READERS;
/** What stands there, by whomever it was written, is compared by these: a shell that sources such a file is an exception. */
const LOADERS: readonly DotenvReader[] = ["dotenv", "node", "python-dotenv", "compose"];

/** `text`: what follows `KEY=`, to the line's end, or to the end of the line on which a quoted value ends. */
export function valueFor(reader: DotenvReader, text: string): string | null {
  const quoted = /^[ \t]*(['"`])([\s\S]*)\1(?:[ \t]+#.*|[ \t]*)$/.exec(text);
  const [, quote = "", inner = ""] = quoted ?? [];
  // Node takes blanks away at the edges, and no other white space.
  if (reader === "node" && /^ *\t/.test(text)) return null;
  if (quoted === null) return text.includes("\n") ? null : MODELS[reader].bare(text);
  if (reader === "sh" && /^[ \t]/.test(text)) return null;
  if (quote === "'") return MODELS[reader].single(inner);
  return quote === '"' ? MODELS[reader].double(inner) : MODELS[reader].backticks(inner);
}

/** One value for all that count; null: they differ, or nobody can say. */
export function agreedValue(reader: DotenvReader | undefined, text: string): string | null {
  const values = new Set((reader === undefined ? LOADERS : [reader]).map((one) => valueFor(one, text)));
  const [value = null] = values;
  return values.size === 1 ? value : null;
}

/** Text that is read as this value by the named reader, or by every one; null: there is none. */
export function textFor(
  reader: DotenvReader | undefined,
  value: string,
  { bare }: { readonly bare: boolean },
): string | null {
  const candidates = [
    ...(bare ? [value] : []),
    `'${value}'`,
    `"${value}"`,
    `\`${value}\``,
    // Escapes are python-dotenv's alone in single quotes, and a shell's and compose's in double ones.
    `'${value.replaceAll(/[\\']/g, "\\$&")}'`,
    `"${value.replaceAll(/[\\"$`]/g, "\\$&")}"`,
  ];
  const readers = reader === undefined ? ALL : [reader];
  return candidates.find((text) => readers.every((one) => valueFor(one, text) === value)) ?? null;
}

interface Model {
  bare(text: string): string | null;
  single(inner: string): string | null;
  double(inner: string): string | null;
  backticks(inner: string): string | null;
}

/** Without a remark behind a blank; null where a `#`, a quote or a `$` makes it uncertain. */
function plainBare(text: string, uncertain: RegExp): string | null {
  const value = text.replace(/(^|[ \t])#.*$/, "$1").trim();
  return uncertain.test(value) ? null : value;
}

/** A backslash before the closing quote is an escape to some, and to some only if another quote follows. */
function closes(inner: string, quote: string): boolean {
  return !inner.includes(quote) && !inner.endsWith("\\");
}

const expandLines = (inner: string) => inner.replaceAll("\\n", "\n");

const npm: Model = {
  bare: (text) => plainBare(text, /#|^['"`]/),
  single: (inner) => (closes(inner, "'") ? inner : null),
  double: (inner) => (closes(inner, '"') ? expandLines(inner).replaceAll("\\r", "\r") : null),
  backticks: (inner) => (closes(inner, "`") ? inner : null),
};

const MODELS: Readonly<Record<DotenvReader, Model>> = {
  dotenv: npm,
  node: {
    ...npm,
    bare: (text) => (/\t *(?:#|$)/.test(text) ? null : npm.bare(text)),
    double: (inner) => (closes(inner, '"') ? expandLines(inner) : null),
  },
  "python-dotenv": {
    bare: (text) => {
      const value = text
        .trimStart()
        .replace(/[ \t]+#.*$/, "")
        .trimEnd();
      return /\$\{|^['"]/.test(value) ? null : value;
    },
    single: (inner) => pythonQuoted(inner, "'", { "\\": "\\", "'": "'" }),
    double: (inner) =>
      pythonQuoted(inner, '"', { "\\": "\\", "'": "'", '"': '"', n: "\n", r: "\r", t: "\t" }),
    backticks: () => null,
  },
  compose: {
    // Up to 2.20 every `#` began a remark, later one behind a blank alone.
    bare: (text) => (/(?:^|[^ ])#/.test(text.trimStart()) ? null : plainBare(text, /[#$\\]|^['"]/)),
    single: (inner) => (closes(inner, "'") ? inner : null),
    double: (inner) => (closes(inner, '"') && !/\$|\\(?!n)/.test(inner) ? expandLines(inner) : null),
    backticks: () => null,
  },
  sh: {
    bare: (text) => {
      const value = text.replace(/[ \t]+#.*$/, "").replace(/[ \t]+$/, "");
      // At the beginning and behind a colon, zsh takes `=name` for a program's path.
      return /^[A-Za-z0-9_@%+.,:/=-]*$/.test(value) && !/(?:^|:)=/.test(value) ? value : null;
    },
    single: (inner) => (closes(inner, "'") ? inner : null),
    double: (inner) =>
      /^(?:[^"\\$`]|\\["\\$`])*$/.test(inner) && !inner.endsWith("\\")
        ? inner.replaceAll(/\\(.)/g, "$1")
        : null,
    backticks: () => null,
  },
};

/** python-dotenv ends a value at the first quote that no backslash precedes, as its expression finds it. */
function pythonQuoted(
  inner: string,
  quote: string,
  escapes: Readonly<Record<string, string>>,
): string | null {
  if (inner.endsWith("\\") || new RegExp(`(?<!\\\\)${quote}`).test(inner)) return null;
  // \a, \b, \f and \v: nobody writes them, and the others keep them.
  if (quote === '"' && /\\[abfv]/.test(inner.replaceAll("\\\\", ""))) return null;
  const value = inner.replaceAll(/\\(.)/gs, (all, char: string) => escapes[char] ?? all);
  return value.includes("${") ? null : value;
}
