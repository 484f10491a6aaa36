/**
 * The queue is a hint: losing it, or any job, loses nothing, because Postgres itself says what is owed and a sweep
 * finds it. Jobs carry ids, never values. Adding the same job again while it waits is one job; while it runs, exactly
 * one more run follows ("latest wins").
 */
export const JOB_NAMES = ["reconcile", "activate", "follow", "look", "advance", "renew", "rotate"] as const;
export type JobName = (typeof JOB_NAMES)[number];

/**
 * reconcile  id = target id       make one target hold what it should
 * activate   id = activation id   start what a unit owes
 * follow     id = follow group    look after the activations under way in one group
 * look       id = target id       look at what stands and runs there, for the gates of rollouts
 * advance    id = rollout id      move one rollout as far as its gates allow
 * renew      id = secret id       ask the issuer for the next token, if it is due
 * rotate     id = secret id       make the next value by the secret's policy, if its schedule says so
 */
export interface Job {
  readonly name: JobName;
  readonly id: string;
}

/**
 * What came of a job: nothing is thrown into the queue, because Postgres keeps the state of every failure. `waitedMs`: since
 * its time had come, by this machine's clock and that of whoever enqueued it.
 */
export type JobHandler = (job: Job, signal: AbortSignal, waitedMs: number) => Promise<void>;

/** In words for people; nothing of what the queue's server said. */
export interface QueueTrouble {
  readonly what: string;
  readonly remedy: string;
}

export interface Queue {
  /**
   * After commit only. Refused or lost adds are harmless: throws QUEUE_UNAVAILABLE, which callers may ignore. With
   * `delayMs` it runs that much later; adding it again meanwhile takes the newer time, so it can be brought forward.
   */
  enqueue(jobs: readonly Job[], options?: { readonly delayMs?: number }): Promise<void>;
  /** Runs jobs until `close`. `concurrency` is per process. */
  start(handler: JobHandler, options: { readonly concurrency: number }): Promise<void>;
  /** What is not as it should be although it answers; null: nothing that is known. */
  readonly concern?: () => QueueTrouble | null;
  /** Finishes running jobs (at most `graceMs`), then lets go of every connection. */
  close(graceMs?: number): Promise<void>;
}
