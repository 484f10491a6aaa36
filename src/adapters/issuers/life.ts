import type { Issued } from "../../core/ports/issuer.ts";
import { durationMs } from "../../lib/duration.ts";

/** What the issuer said, in seconds from the request on, or else the configuration's word; null: it does not end. */
export function lifeFor(seconds: number | null, fixed: string | undefined): Issued["life"] {
  const ms = seconds === null ? durationMs(fixed) : seconds * 1_000;
  return ms === undefined ? null : { kind: "for", ms };
}
