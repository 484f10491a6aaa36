/** Whether what an issuer answered may be used. Pure. */

import { LONGEST_LIFE_MS } from "../../protocol/issue.ts";
import { LockstepError } from "../errors.ts";
import type { Issued, IssuedLife } from "../ports/issuer.ts";
import { inWords } from "../rollout/settle.ts";

const SAY_LIFE =
  "Check the life that the issuer gives; if it gives none that Lockstep can read, set `life` in the secret's `issue:`.";
/** Two machines' clocks differ by so much without anybody's fault. */
const CLOCK_SKEW_MS = 60_000;
/** A token must outlive the change that brings it to its places by so much. */
export const LIFE_IN_ACTIVATIONS = 10;
const MAX_CHARACTERS = 65_536;
/** As seconds the year 5138. */
const FIRST_EPOCH_MS = 100_000_000_000;

export interface AcceptedToken {
  /** Null: it does not end. */
  readonly expiresAtMs: number | null;
}

/**
 * `askedAtMs`: before the request began, so that a slow answer does not make a token look younger than it is. Throws
 * ISSUER_ANSWER, RENEWAL_LIFE_SHORT.
 */
export function acceptToken(
  { value, life: saidLife }: Pick<Issued, "life" | "value">,
  at: {
    readonly askedAtMs: number;
    readonly nowMs: number;
    /** The longest that one of its units took to use a new value; null: nobody knows yet. */
    readonly slowest: { readonly unit: string; readonly ms: number } | null;
  },
): AcceptedToken {
  const text = value.reveal();
  if (text === "" || text.length > MAX_CHARACTERS || /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Surrogate}]/u.test(text))
    throw unusable("it is no line of text");
  if (text.trim() !== text) throw unusable("it begins or ends with a space");
  if (saidLife?.kind === "unreadable") throw unusable(saidLife.why, SAY_LIFE);
  const life = shorter(saidLife, claimedEnd(text, at.askedAtMs), at.askedAtMs);
  if (life === null) return { expiresAtMs: null };
  const expiresAtMs = life.kind === "for" ? at.askedAtMs + life.ms : life.ms;
  if (expiresAtMs - at.askedAtMs > LONGEST_LIFE_MS)
    throw unusable("it would live more than ten years", SAY_LIFE);
  // Another clock's instant may be a little off; our own count may not.
  const toleranceMs = life.kind === "until" ? CLOCK_SKEW_MS : 0;
  if (!Number.isFinite(expiresAtMs) || expiresAtMs + toleranceMs <= at.nowMs) {
    throw unusable(
      "it had ended when it arrived",
      "Compare the clocks of this machine and the issuer's, and check the life that it gives.",
    );
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

type Life = Exclude<IssuedLife, { readonly kind: "unreadable" }>;

/** Until when a JSON Web Token says that it is good (RFC 7519); null for any other text, and for one without an end. */
function claimedEnd(text: string, askedAtMs: number): number | null {
  const [, payload, signature, ...more] = text.split(".");
  if (payload === undefined || signature === undefined || more.length > 0) return null;
  const claims = claimsIn(payload);
  const [untilMs, fromMs] = [instantMs(claims?.["exp"]), instantMs(claims?.["iat"])];
  if (untilMs === null) return null;
  // Its own two instants say how long it lives whatever our clock shows; one that was made a while ago has less left.
  return fromMs === null ? untilMs : Math.min(untilMs, askedAtMs + untilMs - fromMs);
}

function claimsIn(payload: string): Readonly<Record<string, unknown>> | null {
  if (!/^[A-Za-z0-9_-]+$/.test(payload)) return null;
  try {
    const binary = atob(payload.replaceAll("-", "+").replaceAll("_", "/"));
    const claims: unknown = JSON.parse(binary);
    return typeof claims === "object" && claims !== null ? (claims as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** In seconds by the standard; some write milliseconds. */
function instantMs(said: unknown): number | null {
  if (typeof said !== "number" || !Number.isFinite(said)) return null;
  return said >= FIRST_EPOCH_MS ? said : said * 1_000;
}

/** A token's own end counts, whoever else says a later one. */
function shorter(said: Life, claimedMs: number | null, askedAtMs: number): Life {
  if (claimedMs === null) return said;
  const saidUntilMs =
    said === null ? Number.POSITIVE_INFINITY : said.kind === "for" ? askedAtMs + said.ms : said.ms;
  return claimedMs < saidUntilMs ? { kind: "until", ms: claimedMs } : said;
}

function unusable(why: string, hint?: string): LockstepError {
  return new LockstepError(
    "ISSUER_ANSWER",
    `Cannot use the issuer's token: ${why}.`,
    hint === undefined ? {} : { hint },
  );
}
