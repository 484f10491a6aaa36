/** What is still going to happen by itself, so that a test can wait until nothing will, and closing stops all of it. */
import type { SimulatorClock } from "../clock.ts";

export class Schedule {
  readonly #clock: SimulatorClock;
  readonly #pending = new Set<{ cancel: () => void }>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(clock: SimulatorClock) {
    this.#clock = clock;
  }

  after(delayMs: number, action: () => void): void {
    const entry = { cancel: () => {} };
    this.#pending.add(entry);
    entry.cancel = this.#clock.after(delayMs, () => {
      this.#pending.delete(entry);
      action();
      this.#look();
    });
  }

  /** Something outside that is waited for, such as a process becoming ready. */
  during(work: Promise<unknown>): void {
    this.#running += 1;
    const done = () => {
      this.#running -= 1;
      this.#look();
    };
    work.then(done, done);
  }

  /** Resolves when nothing is on its way; what hangs or waits for a person does not count. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#look();
    });
  }

  close(): void {
    for (const { cancel } of this.#pending) cancel();
    this.#pending.clear();
    this.#look();
  }

  #look(): void {
    if (this.#pending.size > 0 || this.#running > 0) return;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
