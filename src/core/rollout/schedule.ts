/** When a secret that rotates by schedule is due. Pure, and the same for every process that asks. */
const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
/** Secrets that were made together do not rotate together. */
const JITTER = 0.05;

export interface Schedule {
  readonly everyMs: number;
  /** "02:00-05:00" in UTC; null: at any time. */
  readonly window: string | null;
}

/** `seed` in [0, 1): the same for one version of one secret, wherever it is asked. */
export function isRotationDue(
  { everyMs, window }: Schedule,
  { ageMs, nowMs, seed }: { readonly ageMs: number; readonly nowMs: number; readonly seed: number },
): boolean {
  return ageMs >= everyMs * (1 - JITTER * seed) && isWithin(window, nowMs);
}

function isWithin(window: string | null, nowMs: number): boolean {
  const [, fromHour, fromMinute, toHour, toMinute] = /^(\d\d):(\d\d)-(\d\d):(\d\d)$/.exec(window ?? "") ?? [];
  if (toMinute === undefined) return true;
  const from = (Number(fromHour) * 60 + Number(fromMinute)) * MINUTE_MS;
  const to = (Number(toHour) * 60 + Number(toMinute)) * MINUTE_MS;
  const now = nowMs % DAY_MS;
  // Over midnight it is outside only between its end and its begin.
  return from <= to ? now >= from && now < to : now >= from || now < to;
}
