/** What a store grows by, from its daily sizes. Pure. */
import { DAY_MS } from "./retention.ts";

export interface Growth {
  /** Negative: it shrinks. */
  readonly bytesPerDay: number;
  /** Between the two sizes that it was computed from. */
  readonly overDays: number;
}

/** A day's difference tells nothing: a rotation of everything is a day's work. */
const MIN_DAYS = 3;

/** `samples`: oldest first. Null: they are too close to each other. */
export function growthOf(
  samples: readonly { readonly atMs: number; readonly bytes: number }[],
): Growth | null {
  const [first] = samples;
  const last = samples.at(-1);
  if (first === undefined || last === undefined) return null;
  const overDays = Math.round((last.atMs - first.atMs) / DAY_MS);
  if (overDays < MIN_DAYS) return null;
  return { bytesPerDay: Math.round((last.bytes - first.bytes) / overDays), overDays };
}

/** Days until the disk is full; null: nobody can say, or never. */
export function daysLeft(freeBytes: number | null, growth: Growth | null): number | null {
  if (freeBytes === null || growth === null || growth.bytesPerDay <= 0) return null;
  return Math.floor(freeBytes / growth.bytesPerDay);
}
