/** What an issuer's answer holds, read leniently: which of it counts is for whoever asks. Foreign texts stay inside. */

/** Deeper, and among more, no token stands. */
const MAX_DEPTH = 6;
const MAX_OBJECTS = 1_000;
/** `access_token=…&token_type=…`, as some answer unless asked for JSON, and some then too. */
const FORM = /^\s*[A-Za-z0-9_.-]+=[^\s<>"{}&]*(?:&[A-Za-z0-9_.-]+=[^\s<>"{}&]*)*\s*$/;

/** JSON, or a form; undefined for anything else. By the text itself: the content type often says something else. */
export function fieldsOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return FORM.test(body) ? Object.fromEntries(new URLSearchParams(body.trim())) : undefined;
  }
}

/** Every object in it, outer before inner. */
export function allObjects(fields: unknown): readonly Readonly<Record<string, unknown>>[] {
  const found: Record<string, unknown>[] = [];
  let level: unknown[] = [fields];
  for (let depth = 0; depth < MAX_DEPTH && found.length < MAX_OBJECTS; depth += 1) {
    const objects = level.filter((one): one is object => typeof one === "object" && one !== null);
    for (const one of objects) if (!Array.isArray(one)) found.push(one as Record<string, unknown>);
    level = objects.flatMap((one) => Object.values(one)).slice(0, MAX_OBJECTS);
  }
  return found;
}

/** A text that is not empty, or a whole number that kept its digits. */
export function textOf(value: unknown): string | null {
  if (typeof value === "string") return value === "" ? null : value;
  return typeof value === "number" && Number.isSafeInteger(value) ? String(value) : null;
}

/** RFC 6901. Own fields alone: what a language adds to objects is no answer. */
export function at(json: unknown, pointer: string): unknown {
  return pointer
    .split("/")
    .slice(1)
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"))
    .reduce<unknown>(
      (found, step) =>
        typeof found === "object" && found !== null && Object.hasOwn(found, step)
          ? (found as Record<string, unknown>)[step]
          : undefined,
      json,
    );
}
