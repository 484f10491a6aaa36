/** What the store takes, what it grows by, and what is left. The watch asks every few seconds: nothing is measured here. */
import { type Growth, growthOf } from "../../core/store-growth.ts";
import type { AppContext } from "../base/context.ts";

/** So that a weekly or monthly rotation is in it. */
const OVER_DAYS = 35;

export interface StoreSpace {
  /** As the last daily sample says; null: there is none yet. */
  readonly bytes: number | null;
  /** Null: on a machine that nobody here knows, or it could not be read. */
  readonly freeBytes: number | null;
  /** Null: nobody can say yet. */
  readonly growth: Growth | null;
}

export async function storeSpace({ store, freeDisk }: AppContext): Promise<StoreSpace> {
  const samples = await store.read.retention.sizeSamples(OVER_DAYS);
  return {
    bytes: samples.at(-1)?.bytes ?? null,
    // What cannot be read is not known; it is no reason for doctor to fail.
    freeBytes: freeDisk === null ? null : await freeDisk().catch(() => null),
    growth: growthOf(samples),
  };
}
