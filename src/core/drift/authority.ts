/**
 * A value that was changed where it is made, around Lockstep: the token of a gateway that somebody rotated there. What
 * stands there is the newer one only where the service itself says so, about both. Pure.
 */
import type { ProbeVerdict } from "../ports/prober.ts";

export function isNewer(verdicts: { readonly found: ProbeVerdict; readonly ours: ProbeVerdict }): boolean {
  return verdicts.found === "accepted" && verdicts.ours === "refused";
}
