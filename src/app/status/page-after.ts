import { type Keys, readCursor } from "../../lib/cursor.ts";

/** The keys of a cursor that was checked where it came in. */
export function pageAfter(after: string | undefined): { readonly after?: Keys } {
  const keys = after === undefined ? null : readCursor(after);
  return keys === null ? {} : { after: keys };
}
