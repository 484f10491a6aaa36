/**
 * The simulator's time. Real by default; a test that steps it by hand sees every state of a deployment in turn and
 * waits for nothing.
 */
export interface SimulatorClock {
  now(): Date;
  /** Runs `action` once, `delayMs` later; the answer cancels it. */
  after(delayMs: number, action: () => void): () => void;
}

/** Timers of this clock keep no process alive. */
export const REAL_CLOCK: SimulatorClock = {
  now: () => new Date(),
  after(delayMs, action) {
    const timer = setTimeout(action, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

interface Timer {
  readonly dueMs: number;
  readonly action: () => void;
}

export class ManualClock implements SimulatorClock {
  #nowMs: number;
  readonly #timers = new Set<Timer>();

  constructor(startsAt: Date = new Date("2026-01-01T00:00:00Z")) {
    this.#nowMs = startsAt.getTime();
  }

  now(): Date {
    return new Date(this.#nowMs);
  }

  after(delayMs: number, action: () => void): () => void {
    const timer: Timer = { dueMs: this.#nowMs + Math.max(0, delayMs), action };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Runs what falls due within `ms`, in order, also what those actions schedule themselves. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#timers.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.action();
    }
    this.#nowMs = untilMs;
  }

  /** The earliest; of equal ones the one scheduled first, because a Set keeps the order of insertion. */
  #next(untilMs: number): Timer | undefined {
    let earliest: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs <= untilMs && (earliest === undefined || timer.dueMs < earliest.dueMs))
        earliest = timer;
    }
    return earliest;
  }
}
