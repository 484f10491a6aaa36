/** What both backends are told. Rates and times are for what only saves time: Postgres holds what is owed. */
import type { JobsOptions, WorkerOptions } from "bullmq";
import type { Job } from "../../core/ports/queue.ts";

export const QUEUE_NAME = "lockstep";

/** Two stores in schemas of one database, or on one Redis, would otherwise take each other's jobs. */
export function queueName(schema: string | undefined): string {
  return schema === undefined ? QUEUE_NAME : `${QUEUE_NAME}_${schema}`;
}

/** Hash-tagged, so that all keys of the queue live in one slot of a Redis Cluster. */
export const REDIS_PREFIX = "{lockstep}";

export const POSTGRES_SCHEMA = "bullmq";

/** An id alone: payloads stay in the backend, in its dumps and in its failure lists. */
export interface JobData {
  readonly id: string;
}

/** So much of one change comes in turn; the rest of a larger one lets smaller ones pass, the later the more. */
const IN_TURN = 50;
/** BullMQ's own bound. */
const LOWEST_PRIORITY = 2_097_152;

/**
 * `keepLastIfActive`: an add while the job runs gives exactly one more run. `replace`: an add while it is delayed is
 * not dropped (it is without, measured on both backends).
 * `place`: among those that were added together. A change of thousands of places keeps nobody waiting who changed one: in
 * BullMQ a job without a priority goes before all that have one, and of these the lower number first.
 */
export function jobOptions(job: Job, delayMs: number, place: number): JobsOptions {
  return {
    deduplication: { id: `${job.name}:${job.id}`, keepLastIfActive: true, replace: true },
    removeOnComplete: true,
    removeOnFail: true,
    attempts: 1,
    ...(delayMs > 0 ? { delay: delayMs } : {}),
    ...(place < IN_TURN ? {} : { priority: Math.min(place - IN_TURN + 1, LOWEST_PRIORITY) }),
  };
}

/**
 * A killed worker's jobs are seen as stalled after `lockDuration` and given to another within `stalledInterval`. They
 * may stall any number of times: giving up is decided in Postgres.
 */
export const WORKER_OPTIONS = {
  lockDuration: 3_000,
  stalledInterval: 1_000,
  maxStalledCount: 1_000,
  removeOnComplete: { count: 0 },
  removeOnFail: { count: 0 },
} as const satisfies Partial<WorkerOptions>;
