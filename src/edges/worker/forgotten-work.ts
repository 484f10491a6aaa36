/**
 * Finds work that the queue took and never gave out. A queue that somebody paused, whose jobs another store's workers
 * take, or that chokes on what somebody wrote into it, says yes to every job: what is due stays due, and this process
 * hears of nothing.
 */
import type { Logger } from "../../core/ports/logger.ts";
import type { Job } from "../../core/ports/queue.ts";
import { seldom } from "../../lib/seldom.ts";

/** Sweeps in a row that find the same work due while nothing was given out here. */
const PATIENCE = 5;

const TELL_EVERY_MS = 60_000;

export class ForgottenWork {
  readonly tell: () => void;
  #underway = 0;
  #isIdle = true;
  #sweeps = new Map<string, number>();

  constructor(log: Logger) {
    this.tell = seldom(TELL_EVERY_MS, () =>
      log.warn("queue gives nothing out", { effect: "the sweep does what is due, more slowly" }),
    );
  }

  /** A job came from the queue. Answers what to call at its end. */
  delivered(): () => void {
    this.#underway += 1;
    this.#isIdle = false;
    return () => {
      this.#underway -= 1;
    };
  }

  /** Of what a sweep found due: what no queue seems to bring. */
  among(due: readonly Job[]): readonly Job[] {
    const idle = this.#isIdle && this.#underway === 0;
    this.#isIdle = true;
    const before = this.#sweeps;
    this.#sweeps = new Map(
      due.map((job) => {
        const key = `${job.name} ${job.id}`;
        return [key, idle ? (before.get(key) ?? 0) + 1 : 0];
      }),
    );
    return due.filter((job) => (this.#sweeps.get(`${job.name} ${job.id}`) ?? 0) >= PATIENCE);
  }
}
