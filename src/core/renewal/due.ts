/**
 * When a token is renewed, and when it is tried again. Pure; time comes from outside, and chance as a seed in [0, 1)
 * that stays the same for one version of one secret, so that a restart changes nothing.
 *
 *   made ──────────────────────── due ── try ─── try ─── try ─── … ─── expires
 *        2/3 of its life, less jitter    at least ten tries before it ends
 */
/** Tokens that were made together are not renewed together. Part of the time until due. */
const JITTER = 0.1;
/** Parts of a life between which it is due, whatever the policy. */
const EARLIEST = 0.1;
const LATEST = 0.95;
/** Of a retry's pause. */
const RETRY_JITTER = 0.2;
/** Between due and the end at least that many tries, however often it fails. */
export const LEAST_TRIES = 10;
const FIRST_RETRY_MS = 5_000;
/** A provider that is back is found that soon. */
const LONGEST_RETRY_MS = 5 * 60_000;
/** Somebody is refused already. */
const LONGEST_RETRY_EXPIRED_MS = 60_000;
const SHORTEST_RETRY_MS = 1_000;

export interface RenewPolicy {
  /** Part of the life that passes before it is due, in (0, 1). */
  readonly at: number;
  /** So long before its end instead; null: by `at`. */
  readonly beforeMs: number | null;
}

export const DEFAULT_RENEW_POLICY: RenewPolicy = { at: 2 / 3, beforeMs: null };

export interface TokenLife {
  readonly madeAtMs: number;
  readonly expiresAtMs: number;
}

/** A token whose next one does not come. */
export interface FailingRenewal {
  readonly nowMs: number;
  readonly dueAtMs: number;
  readonly expiresAtMs: number;
  /** In a row. */
  readonly failures: number;
}

export function dueAtMs({ madeAtMs, expiresAtMs }: TokenLife, policy: RenewPolicy, seed: number): number {
  const lifeMs = Math.max(0, expiresAtMs - madeAtMs);
  const wantedMs = policy.beforeMs === null ? lifeMs * policy.at : lifeMs - policy.beforeMs;
  // A lead that is longer than the life would make it due before it was made, one of seconds would leave no time to try.
  const untilDueMs = Math.min(lifeMs * LATEST, Math.max(lifeMs * EARLIEST, wantedMs));
  return madeAtMs + untilDueMs * (1 - JITTER * seed);
}

/** After the `failures`th failure in a row, at `nowMs`. */
export function retryAtMs(
  { nowMs, dueAtMs: due, expiresAtMs, failures }: FailingRenewal,
  seed: number,
): number {
  const longestMs =
    nowMs >= expiresAtMs
      ? LONGEST_RETRY_EXPIRED_MS
      : Math.min(LONGEST_RETRY_MS, (expiresAtMs - due) / LEAST_TRIES);
  const pauseMs = Math.min(FIRST_RETRY_MS * 2 ** Math.min(failures - 1, 20), longestMs);
  return nowMs + Math.max(SHORTEST_RETRY_MS, pauseMs * (1 - RETRY_JITTER * seed));
}

/** A refresh token that was refused so often, whatever in words, is not presented any more. */
export const MAX_REFUSALS = 5;
const LONGEST_REFUSED_MS = 15 * 60_000;

/**
 * After the `refusals`th refusal: the few tries that are left are spread over what is left of the token, so that a page
 * of somebody's maintenance does not use them all up within minutes.
 */
export function refusedAgainAtMs(nowMs: number, expiresAtMs: number, refusals: number): number {
  const left = Math.max(1, MAX_REFUSALS + 1 - refusals);
  return nowMs + Math.min(LONGEST_REFUSED_MS, Math.max(0, expiresAtMs - nowMs) / left);
}

/** How urgently a person is notified, in order. Each level is notified once; the next success ends it. */
export const RENEWAL_LEVELS = ["failing", "urgent", "critical", "expired"] as const;
export type RenewalLevel = (typeof RENEWAL_LEVELS)[number];

/** Null: nothing to tell. One failure alone is told to nobody: the next try comes within seconds. */
export function levelOf({ nowMs, dueAtMs: due, expiresAtMs, failures }: FailingRenewal): RenewalLevel | null {
  if (nowMs >= expiresAtMs) return "expired";
  if (failures === 0) return null;
  const spent = (nowMs - due) / Math.max(1, expiresAtMs - due);
  if (spent >= 0.8) return "critical";
  if (spent >= 0.5) return "urgent";
  return failures >= 2 ? "failing" : null;
}

/** `before`: the level that a person was last notified at; null: at none yet. */
export function isEscalation(level: RenewalLevel, before: RenewalLevel | null): boolean {
  return before === null || RENEWAL_LEVELS.indexOf(level) > RENEWAL_LEVELS.indexOf(before);
}
