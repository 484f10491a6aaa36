/**
 * When a target is tried again. The backoff grows to an hour and never ends for failures that may pass; a failure that
 * cannot pass by itself waits for new intent or a person's resume.
 */
import { type ErrorCode, isSourceAway, type LockstepError } from "../errors.ts";

const BACKOFF_MS = [1_000, 3_000, 10_000, 30_000, 60_000, 300_000, 900_000, 3_600_000] as const;
const JITTER = 0.2;
/** The worker begins nothing while it knows that a source is away: this is for what was under way. */
const SOURCE_AWAY_MS = 10_000;
const VALUE_CHANGED_MS = 60_000;

/** A store that was set back hands out no work at all, and goes on where it stood once a person has said so. */
const RACES: ReadonlySet<ErrorCode> = new Set(["WRITE_CONFLICT", "LEASE_LOST", "STORE_SET_BACK"]);

export type NextTry =
  | { readonly kind: "in"; readonly delayMs: number; readonly spendsAttempt: boolean }
  | { readonly kind: "gave-up" };

/** `attempts` counts failed tries before this one; `random` is in [0, 1). */
export function nextTry(error: LockstepError, attempts: number, random: number): NextTry {
  // Not the place's doing, whatever the family: looked at again soon, without an attempt.
  if (isSourceAway(error)) {
    const delayMs = error.retryAfterMs ?? jittered(SOURCE_AWAY_MS, random);
    return { kind: "in", delayMs, spendsAttempt: false };
  }
  // The source's fault as well, and a person's to fix: whatever they do there, it goes on by itself afterwards.
  if (error.code === "VALUE_STORE_CHANGED")
    return { kind: "in", delayMs: jittered(VALUE_CHANGED_MS, random), spendsAttempt: false };
  switch (error.verdict) {
    case "never":
      return { kind: "gave-up" };
    case "replan":
      // A refused order or a foreign value stays so until somebody acts; a lost race is worth another look.
      return RACES.has(error.code) ? backedOff(attempts, random) : { kind: "gave-up" };
    case "at-retry-after":
      return {
        kind: "in",
        delayMs: error.retryAfterMs ?? backoffMs(attempts + 3, random),
        spendsAttempt: false,
      };
    case "read-back":
      return { kind: "in", delayMs: 0, spendsAttempt: true };
    case "later":
      return error.retryAfterMs === undefined
        ? backedOff(attempts, random)
        : { kind: "in", delayMs: error.retryAfterMs, spendsAttempt: true };
  }
}

function backedOff(attempts: number, random: number): NextTry {
  return { kind: "in", delayMs: backoffMs(attempts, random), spendsAttempt: true };
}

function backoffMs(attempts: number, random: number): number {
  return jittered(BACKOFF_MS[Math.min(attempts, BACKOFF_MS.length - 1)] ?? 3_600_000, random);
}

function jittered(baseMs: number, random: number): number {
  return Math.round(baseMs * (1 + JITTER * (2 * random - 1)));
}
