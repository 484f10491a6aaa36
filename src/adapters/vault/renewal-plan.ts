/**
 * When a token is renewed: at two thirds of what was granted, less a jitter, and when that fails at least five times more
 * before it ends. Pure.
 */

const RENEW_AT = 2 / 3;
const JITTER = 0.1;
const TRIES_AFTER = 6;
const MIN_GAP_MS = 1_000;
const SHORTEST_LIFE_MS = 5_000;
/** A timer holds 24.8 days; beyond that it would ring at once, and for ever. */
export const LONGEST_TIMER_MS = 24 * 60 * 60 * 1_000;

export interface Life {
  readonly grantedAtMs: number;
  readonly lifeMs: number;
}

/** `failures`: tries since it was granted. Null: it has ended, or will have. `random`: 0 to 1. */
export function nextTryAtMs(
  { grantedAtMs, lifeMs }: Life,
  failures: number,
  nowMs: number,
  random: number,
): number | null {
  // Too short for any of it: whoever asks next logs in.
  if (lifeMs < SHORTEST_LIFE_MS) return null;
  const endsAtMs = grantedAtMs + lifeMs;
  const first = grantedAtMs + lifeMs * RENEW_AT * (1 - JITTER * random);
  if (failures === 0) return Math.max(first, nowMs);
  const gap = Math.max((lifeMs * (1 - RENEW_AT)) / (TRIES_AFTER + 1), MIN_GAP_MS);
  const next = nowMs + gap * (1 - JITTER * random);
  return next < endsAtMs ? next : null;
}

/** Less than was asked for: a limit is near, beyond which no renewal goes. */
export function isCapped(askedMs: number | null, grantedMs: number | null): boolean {
  return askedMs !== null && grantedMs !== null && grantedMs < askedMs * 0.95;
}
