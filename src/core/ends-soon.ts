/** From when on the end of a credential is told that somebody must replace. Pure. */

const HOUR_MS = 3_600_000;
const MAX_MS = 7 * 24 * HOUR_MS;
/** Tests of targets and looks of people are daily: what ends before the next one must be told by this one. */
const MIN_MS = 25 * HOUR_MS;

/** How long before, in ms: its last tenth, a week at most, 25 hours at least. `madeAt` null: nobody knows. */
export function toldBeforeMs(endsAt: Date, madeAt: Date | null): number {
  if (madeAt === null) return MAX_MS;
  return Math.min(MAX_MS, Math.max((endsAt.getTime() - madeAt.getTime()) / 10, MIN_MS));
}
