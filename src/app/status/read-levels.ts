/**
 * The store's levels for all scrapers of one process: asked at most once in a while, however many ask, and never twice at
 * the same time. A store that does not answer in time leaves whoever scrapes with what this process knows by itself.
 */
import { toLockstepError } from "../../core/errors.ts";
import type { StoreLevels } from "../../core/store/levels.ts";
import { seldom } from "../../lib/seldom.ts";
import type { AppContext } from "../base/context.ts";

/** Scrapers mostly come every 15 seconds or more; several of them share one answer. */
const FRESH_FOR_MS = 5_000;
/** And nine times as long as the store took: however large it is, it works at this a tenth of its time. */
const REST_FACTOR = 9;
/** A store that comes back is seen within this time. */
const MAX_REST_MS = 60_000;
/** Prometheus gives up after 10 seconds, and then knows nothing at all. */
const PATIENCE_MS = 4_000;
const TELL_EVERY_MS = 60_000;

export type ReadLevels = () => Promise<StoreLevels | "unknown">;

/** `nowMs`: of a clock that only goes forwards. */
export function createReadLevels(
  context: Pick<AppContext, "store" | "log">,
  { nowMs = () => performance.now(), patienceMs = PATIENCE_MS } = {},
): ReadLevels {
  let newest: { readonly levels: StoreLevels | "unknown"; readonly untilMs: number } | null = null;
  let underway: Promise<StoreLevels | "unknown"> | null = null;
  let failure = "";
  const tell = seldom(TELL_EVERY_MS, () => context.log.warn("metrics without the store", { code: failure }));

  const read = async (): Promise<StoreLevels | "unknown"> => {
    const beganAtMs = nowMs();
    let levels: StoreLevels | "unknown" = "unknown";
    try {
      levels = await context.store.read.levels.read();
    } catch (error) {
      failure = toLockstepError(error).code;
      tell();
    }
    const endedAtMs = nowMs();
    newest = {
      levels,
      untilMs:
        endedAtMs + Math.min(MAX_REST_MS, Math.max(FRESH_FOR_MS, REST_FACTOR * (endedAtMs - beganAtMs))),
    };
    underway = null;
    return levels;
  };
  return async () => {
    if (newest !== null && nowMs() < newest.untilMs) return newest.levels;
    underway ??= read();
    return await within(underway, patienceMs);
  };
}

async function within(read: Promise<StoreLevels | "unknown">, ms: number): Promise<StoreLevels | "unknown"> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"unknown">((resolve) => {
    timer = setTimeout(resolve, ms, "unknown");
  });
  try {
    return await Promise.race([read, late]);
  } finally {
    clearTimeout(timer);
  }
}
