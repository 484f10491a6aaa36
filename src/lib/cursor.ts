/** Where a page of a list ended, as text that is passed back unread: the keys of its last row, in the list's order. */

/** Longer than two names of ours. */
const MAX_CURSOR = 1_000;

export type Keys = readonly [string, string];

export function cursorOf(keys: Keys): string {
  return Buffer.from(JSON.stringify(keys)).toString("base64url");
}

/** Null: no list of ours gave that out. */
export function readCursor(text: string): Keys | null {
  if (text.length > MAX_CURSOR || !/^[A-Za-z0-9_-]+$/.test(text)) return null;
  try {
    const read: unknown = JSON.parse(Buffer.from(text, "base64url").toString());
    if (!Array.isArray(read) || read.length !== 2) return null;
    const [first, second]: readonly unknown[] = read;
    return typeof first === "string" && typeof second === "string" && !`${first}${second}`.includes("\0")
      ? [first, second]
      : null;
  } catch {
    return null;
  }
}

/** Of a list by instant: to the microsecond, because several rows may be of one millisecond. */
export function isInstantCursor(text: string): boolean {
  const [at = "", id = ""] = readCursor(text) ?? [];
  return (
    /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(at) &&
    !Number.isNaN(Date.parse(at)) &&
    /^[0-9a-f-]{36}$/.test(id)
  );
}

/** One row more than the page has was asked for: what belongs to it, and where the next begins. Null: nothing follows. */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  keysOf: (last: Row) => Keys,
): { readonly rows: readonly Row[]; readonly next: string | null } {
  const last = rows[limit - 1];
  return {
    rows: rows.slice(0, limit),
    next: rows.length > limit && last !== undefined ? cursorOf(keysOf(last)) : null,
  };
}
