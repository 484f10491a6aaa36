/** Time that moves when a test says so: timers ring in order, and whoever waits for the next one is told. */
import type { VaultClock } from "../../src/adapters/vault/clock.ts";

interface Timer {
  readonly atMs: number;
  readonly act: () => void;
}

export class SteppedClock implements VaultClock {
  nowMs = Date.parse("2030-01-01T00:00:00Z");
  /** The longest that was ever asked for. */
  longestMs = 0;
  readonly #timers = new Set<Timer>();
  readonly #waiting = new Set<() => void>();
  /** Rings what is due within so many milliseconds by itself: short pauses between tries. */
  readonly #ownMs: number;

  constructor({ ringsBelowMs = 0 }: { readonly ringsBelowMs?: number } = {}) {
    this.#ownMs = ringsBelowMs;
  }

  /** For the double. */
  readonly dates = { now: () => new Date(this.nowMs) };

  now(): number {
    return this.nowMs;
  }

  after(delayMs: number, act: () => void): () => void {
    if (delayMs < this.#ownMs) {
      this.nowMs += delayMs;
      queueMicrotask(act);
      return () => undefined;
    }
    this.longestMs = Math.max(this.longestMs, delayMs);
    const timer = { atMs: this.nowMs + delayMs, act };
    this.#timers.add(timer);
    for (const tell of this.#waiting) tell();
    return () => this.#timers.delete(timer);
  }

  get timers(): number {
    return this.#timers.size;
  }

  /** The next timer's moment has come. */
  get due(): boolean {
    return [...this.#timers].some(({ atMs }) => atMs <= this.nowMs);
  }

  /** Moves to the next timer and rings it. Answers how far that was. */
  ring(): number {
    const [next] = [...this.#timers].sort((one, other) => one.atMs - other.atMs);
    if (next === undefined) throw new Error("there is no timer");
    const movedMs = Math.max(0, next.atMs - this.nowMs);
    this.nowMs += movedMs;
    this.#timers.delete(next);
    next.act();
    return movedMs;
  }

  /** Resolves once there is a timer. */
  async armed(): Promise<void> {
    if (this.#timers.size > 0) return;
    await new Promise<void>((resolve) => {
      const tell = (): void => {
        this.#waiting.delete(tell);
        resolve();
      };
      this.#waiting.add(tell);
    });
  }
}
