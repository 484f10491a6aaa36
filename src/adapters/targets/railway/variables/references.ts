/**
 * References in stored texts: `${{shared.NAME}}`, `${{Service Name.NAME}}` (also with the name in quotes), `${{NAME}}` of
 * the same service; blanks inside the braces are allowed (Railway's docs, variables/reference.md). A service is referred
 * to by its name at Railway, case-sensitive, and always within one environment. Pure.
 */
const REFERENCE = /\$\{\{\s*([^{}]*?)\s*\}\}/g;
const INSIDE = /^(?:(?:"([^"]*)"|'([^']*)'|([^"'].*?))\.)?([A-Za-z_][A-Za-z0-9_]*)$/;
const SHARED = /\$\{\{\s*shared\.([A-Za-z_][A-Za-z0-9_]*)\s*\}\}/g;

export interface Reference {
  /** A service's name, `shared`, or null: the same service. */
  readonly owner: string | null;
  readonly name: string;
}

export function referencesIn(text: string): readonly Reference[] {
  return [...text.matchAll(REFERENCE)].flatMap((match) => referenceOf(match[1] ?? "") ?? []);
}

/** What stands between the braces; with them too, because Railway's metadata does not say which it gives. */
export function referenceOf(inside: string): Reference | null {
  const bare = inside
    .trim()
    .replace(/^\$\{\{\s*/, "")
    .replace(/\s*\}\}$/, "");
  const [, double, single, plain, name] = INSIDE.exec(bare) ?? [];
  return name === undefined ? null : { owner: double ?? single ?? plain ?? null, name };
}

/** The shared variable that an entry of Railway's metadata names; null: it names another one. */
export function sharedNameOf(reference: string): string | null {
  const found = referenceOf(reference);
  return found?.owner === "shared" ? found.name : null;
}

/** The text with each reference replaced by what `resolve` says of it. */
export function mapReferences(text: string, resolve: (reference: Reference | null) => string): string {
  return text.replace(REFERENCE, (_, inside: string) => resolve(referenceOf(inside)));
}

/** Names of shared variables that a stored text refers to. */
export function sharedNamesIn(text: string): readonly string[] {
  return [...text.matchAll(SHARED)].map((match) => match[1] ?? "");
}

/** The text with the known shared values put in; other references stay as they are. */
export function withSharedValues(text: string, values: ReadonlyMap<string, string>): string {
  return text.replace(SHARED, (reference, name: string) => values.get(name) ?? reference);
}

/** Railway reads this as the beginning of a reference, and documents no escape. */
export function hasReference(text: string): boolean {
  return text.includes("${{");
}
