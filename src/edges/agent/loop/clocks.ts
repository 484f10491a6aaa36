/**
 * Two clocks, because each alone is wrong once: the wall clock may be set back, and then an instant that was written down
 * lies far in the future; the process's own stands still while a laptop sleeps.
 */

export interface Clocks {
  /** Of the wall, in ms since 1970. */
  readonly nowMs: () => number;
  /** Of the process: nobody sets it. In ms since some moment. */
  readonly monotonicMs: () => number;
}

/** A wait that is over as soon as either clock says so. */
export class Countdown {
  readonly #clocks: Clocks;
  #wallAtMs = Number.NEGATIVE_INFINITY;
  #ownAtMs = Number.NEGATIVE_INFINITY;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
  }

  start(ms: number): void {
    this.#wallAtMs = this.#clocks.nowMs() + ms;
    this.#ownAtMs = this.#clocks.monotonicMs() + ms;
  }

  leftMs(): number {
    const { nowMs, monotonicMs } = this.#clocks;
    return Math.max(0, Math.min(this.#wallAtMs - nowMs(), this.#ownAtMs - monotonicMs()));
  }
}

/** So far apart they come by a sleep, or by somebody who sets the clock; time servers turn it slowly. */
const JUMP_MS = 10_000;

/** Sees that the machine slept, or that its clock was set: lines that stood before are no lines any more. */
export class ClockJumps {
  readonly #clocks: Clocks;
  #apartMs: number;

  constructor(clocks: Clocks) {
    this.#clocks = clocks;
    this.#apartMs = this.#apart();
  }

  /** Whether one came since the last look. */
  look(): boolean {
    const apartMs = this.#apart();
    const isJump = Math.abs(apartMs - this.#apartMs) >= JUMP_MS;
    this.#apartMs = apartMs;
    return isJump;
  }

  #apart(): number {
    return this.#clocks.nowMs() - this.#clocks.monotonicMs();
  }
}
