/** `${{shared.NAME}}` inside stored texts; blanks inside the braces are allowed. Pure. */
const SHARED = /\$\{\{\s*shared\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

/** Names of shared variables that a stored text refers to. */
export function sharedNamesIn(text: string): readonly string[] {
  return [...text.matchAll(SHARED)].map((match) => match[1] ?? "");
}

/** What Railway's metadata calls references: with or without the braces; the form is not documented. */
export function sharedNameOf(reference: string): string | null {
  return /^(?:\$\{\{\s*)?shared\.([A-Za-z_][A-Za-z0-9_]*)(?:\s*\}\})?$/.exec(reference.trim())?.[1] ?? null;
}

/** The text with the known shared values put in; other references stay as they are. */
export function withSharedValues(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(SHARED, (reference, name: string) => values.get(name) ?? reference);
}

/** Railway reads this as the beginning of a reference, and documents no escape. */
export function hasReference(text: string): boolean {
  return text.includes("${{");
}
