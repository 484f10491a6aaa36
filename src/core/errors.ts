/**
 * The one error that crosses our floors. Messages name the action, then the state, then the remedy, and never hold a
 * value. `details` are ids and names that are safe to show. A foreign error never crosses an adapter: code and status
 * are copied, the rest is dropped.
 */
import { boundedText } from "../lib/visible-text.ts";
import { CATALOGUE } from "./error-catalogue.ts";
import { type ErrorFamily, FAMILIES, type RetryVerdict } from "./error-families.ts";

export type ErrorCode = keyof typeof CATALOGUE;

export interface ErrorOptions {
  readonly details?: Readonly<Record<string, unknown>>;
  /** Overrides the catalogue's hint. */
  readonly hint?: string;
  readonly retryAfterMs?: number;
}

export class LockstepError extends Error {
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, unknown>>;
  readonly hint: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: ErrorCode, message: string, options: ErrorOptions = {}) {
    // What a place, a host or an issuer says comes to us as an error: here all of it is made visible, and ends.
    super(boundedText(message, 4_000));
    this.name = "LockstepError";
    this.code = code;
    this.details = options.details ?? {};
    this.hint = boundedText(options.hint ?? CATALOGUE[code].hint, 4_000);
    this.retryAfterMs = options.retryAfterMs;
  }

  get family(): ErrorFamily {
    return CATALOGUE[this.code].family;
  }

  get verdict(): RetryVerdict {
    return FAMILIES[this.family].verdict;
  }

  get status(): number {
    return FAMILIES[this.family].status;
  }

  get exitCode(): number {
    return FAMILIES[this.family].exitCode;
  }
}

/** The store cannot answer now, whatever it says about why. */
export function isStoreAway({ code, family }: LockstepError): boolean {
  return code.startsWith("STORE_") && family === "unavailable";
}

/** The key ring does not open or seal now: that says nothing about the text, nor about any place. */
export function isRingAway({ code }: LockstepError): boolean {
  return code === "KEY_RING_UNAVAILABLE" || code === "KEY_RING_REFUSED";
}

/** The value store cannot be asked, or lets nobody in, whatever it says about why. */
export function isValueStoreAway({ code }: LockstepError): boolean {
  return code === "VALUE_STORE_UNAVAILABLE" || code === "VALUE_STORE_REFUSED";
}

/**
 * Lockstep itself lacks what it works with: its store, the store's key, its key ring, its value store. That says nothing
 * about any place, issuer or channel: none is charged with an attempt for it, nothing is given up, and it goes on by
 * itself.
 */
export function isSourceAway(error: LockstepError): boolean {
  return isStoreAway(error) || isSourceAwayCode(error.code);
}

/** The same for a code on record; what the store itself says about its absence is on no record. */
export function isSourceAwayCode(code: string): boolean {
  return SOURCE_AWAY.has(code);
}

const SOURCE_AWAY: ReadonlySet<string> = new Set([
  "ROOT_KEY_CHANGED",
  "KEY_RING_UNAVAILABLE",
  "KEY_RING_REFUSED",
  "VALUE_STORE_UNAVAILABLE",
  "VALUE_STORE_REFUSED",
]);

/** Our own errors pass; anything else is a defect whose text may hold anything, so it is dropped. */
export function toLockstepError(error: unknown): LockstepError {
  if (error instanceof LockstepError) return error;
  return new LockstepError("INTERNAL", "An unexpected failure inside Lockstep.");
}
