/** Whether what an issuer answered may be used. Pure. */

import { LockstepError } from "../errors.ts";
import type { Issued } from "../ports/issuer.ts";
import { inWords } from "../rollout/settle.ts";

/** Two machines' clocks differ by so much without anybody's fault. */
const CLOCK_SKEW_MS = 60_000;
/** A token must outlive the change that brings it to its places by so much. */
export const LIFE_IN_ACTIVATIONS = 10;
const MAX_CHARACTERS = 65_536;

export interface AcceptedToken {
  /** Null: it does not end. */
  readonly expiresAtMs: number | null;
}

/**
 * `askedAtMs`: before the request began, so that a slow answer does not make a token look younger than it is. Throws
 * ISSUER_ANSWER, RENEWAL_LIFE_SHORT.
 */
export function acceptToken(
  { value, life }: Pick<Issued, "life" | "value">,
  at: {
    readonly askedAtMs: number;
    readonly nowMs: number;
    /** The longest that one of its units took to use a new value; null: nobody knows yet. */
    readonly slowest: { readonly unit: string; readonly ms: number } | null;
  },
): AcceptedToken {
  const text = value.reveal();
  if (text === "" || text.length > MAX_CHARACTERS || /[\p{Cc}\p{Surrogate}]/u.test(text))
    throw new LockstepError("ISSUER_ANSWER", "Cannot use the issuer's token: it is no line of text.");
  if (life === null) return { expiresAtMs: null };
  const expiresAtMs = life.kind === "for" ? at.askedAtMs + life.ms : life.ms;
  // Another clock's instant may be a little off; our own count may not.
  const toleranceMs = life.kind === "until" ? CLOCK_SKEW_MS : 0;
  if (!Number.isFinite(expiresAtMs) || expiresAtMs + toleranceMs <= at.nowMs) {
    throw new LockstepError("ISSUER_ANSWER", "Cannot use the issuer's token: it had ended when it arrived.", {
      hint: "Compare the clocks of this machine and the issuer's, and look at the life that it gives.",
    });
  }
  const lifeMs = expiresAtMs - at.askedAtMs;
  const neededMs = (at.slowest?.ms ?? 0) * LIFE_IN_ACTIVATIONS;
  if (at.slowest !== null && lifeMs < neededMs) {
    throw new LockstepError(
      "RENEWAL_LIFE_SHORT",
      `Cannot use tokens that live ${inWords(lifeMs)}: ${at.slowest.unit} took ${inWords(at.slowest.ms)} to use a new value.`,
      {
        hint: `Ask the issuer for a life of at least ${inWords(neededMs)}, or let ${at.slowest.unit} follow its file without a restart.`,
      },
    );
  }
  return { expiresAtMs };
}
