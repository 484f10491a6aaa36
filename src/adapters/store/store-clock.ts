/**
 * The store's clock, as this process can tell it without asking each time: what Postgres said last, and what has gone by
 * since. Servers whose own clocks are hours apart, or jump, agree on what has expired, is due and was answered before.
 *
 * It is asked again every half minute, and at once when this machine's two clocks disagree: it slept, or somebody set it.
 * Until the answer is there the later of both counts, so that nothing that ended is taken for alive.
 */
import type { Clock } from "../../core/ports/clock.ts";
import { startStopwatch } from "../../lib/stopwatch.ts";

const ASK_EVERY_MS = 30_000;
const MAX_DISAGREEMENT_MS = 1_000;

export interface StoreClock extends Clock {
  stop(): void;
}

/** `ask` answers the database's clock in ms since the epoch. Throws what the first asking throws; later ones may fail. */
export async function startStoreClock(ask: () => Promise<number>): Promise<StoreClock> {
  let known = await reading(ask);
  let isAsking = false;
  const again = async (): Promise<void> => {
    if (isAsking) return;
    isAsking = true;
    try {
      known = await reading(ask);
    } catch {
      // What was told before still holds.
    } finally {
      isAsking = false;
    }
  };
  const timer = setInterval(() => void again(), ASK_EVERY_MS);
  timer.unref();
  return {
    now: () => {
      if (known.disagreementMs() > MAX_DISAGREEMENT_MS) void again();
      return new Date(known.atMs + known.sinceMs());
    },
    stop: () => clearInterval(timer),
  };
}

async function reading(ask: () => Promise<number>) {
  const sinceMs = startStopwatch();
  const [steadyMs, wallMs] = [performance.now(), Date.now()];
  const toldMs = await ask();
  // It was told somewhere between question and answer.
  return {
    atMs: toldMs - sinceMs() / 2,
    sinceMs,
    disagreementMs: () => Math.abs(performance.now() - steadyMs - (Date.now() - wallMs)),
  };
}
