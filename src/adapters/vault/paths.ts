/** Paths as the server means them: it decodes and cleans them, so that what it would change is refused here. Pure. */
import { VaultFailure } from "./failure.ts";

/** `["kv", "data", "a b"]` → `kv/data/a%20b`. Throws VaultFailure. */
export function encodePath(segments: readonly string[]): string {
  if (segments.length === 0) throw new VaultFailure("invalid", "the path is empty");
  for (const segment of segments) {
    const why = refusalOf(segment);
    if (why !== null) throw new VaultFailure("invalid", `the path ${why}`);
  }
  return segments.map(encodeURIComponent).join("/");
}

/** `team/kv` → its segments. What stands wrong in it is refused when it is encoded. */
export function segmentsOf(written: string): readonly string[] {
  return written.split("/");
}

function refusalOf(segment: string): string | null {
  if (segment === "") return "begins or ends with a slash, or holds two in a row";
  if (segment === "." || segment === "..") return "holds a part that is . or ..";
  // Most are: the rest would find nothing in them.
  if (/^[\w.-]+$/.test(segment)) return null;
  if (/[\p{Cc}\u2028\u2029]/u.test(segment)) return "holds a control character";
  if (/\p{Surrogate}/u.test(segment)) return "holds half a character";
  // A slash in a segment would be one between segments over there.
  return segment.includes("/") ? "holds a part with a slash in it" : null;
}
