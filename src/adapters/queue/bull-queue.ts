/**
 * The queue over BullMQ, the same code for both backends.
 *
 * Promises: a backend that is away, flushed or restarted neither ends nor blocks the process; adding fails with
 * QUEUE_UNAVAILABLE within `ENQUEUE_WITHIN_MS`; workers come back by themselves. What got lost, the sweep finds.
 */
import type { JobsOptions } from "bullmq";
import { LockstepError } from "../../core/errors.ts";
import type { Logger } from "../../core/ports/logger.ts";
import { JOB_NAMES, type Job, type JobHandler, type JobName, type Queue } from "../../core/ports/queue.ts";
import { type JobData, jobOptions } from "./job-options.ts";

const ENQUEUE_WITHIN_MS = 2_000;
const CLOSE_WITHIN_MS = 10_000;
const ERROR_LOG_INTERVAL_MS = 10_000;

/** What is used of BullMQ's Queue and Worker, whatever their backend. */
export interface BullProducer {
  addBulk(jobs: { name: string; data: JobData; opts: JobsOptions }[]): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
  close(): Promise<unknown>;
}

export interface BullConsumer {
  on(event: "error", listener: (error: Error) => void): unknown;
  run(): Promise<void>;
  close(force?: boolean): Promise<unknown>;
}

export type BullProcessor = (job: { readonly name: string; readonly data: JobData }) => Promise<void>;

export interface BullBackend {
  createProducer(): BullProducer;
  createConsumer(processor: BullProcessor, concurrency: number): BullConsumer;
  /** Connections that BullMQ does not close itself. */
  close(): Promise<void>;
}

export function createBullQueue(backend: BullBackend, log: Logger): Queue {
  const quietly = quietErrors(log);
  const producer = backend.createProducer();
  producer.on("error", quietly);
  const stopping = new AbortController();
  let consumer: BullConsumer | null = null;

  return {
    async enqueue(jobs, { delayMs = 0 } = {}) {
      if (jobs.length === 0) return;
      const added = producer.addBulk(
        jobs.map((job) => ({ name: job.name, data: { id: job.id }, opts: jobOptions(job, delayMs) })),
      );
      try {
        await within(added, ENQUEUE_WITHIN_MS);
      } catch {
        throw new LockstepError("QUEUE_UNAVAILABLE", "Cannot hand work to the queue: it did not answer.");
      }
    },

    async start(handler, { concurrency }) {
      consumer = backend.createConsumer((job) => handle(job, handler, stopping.signal), concurrency);
      consumer.on("error", quietly);
      // It runs until it is closed, and reconnects by itself.
      consumer.run().catch(quietly);
    },

    async close(graceMs = CLOSE_WITHIN_MS) {
      const running = consumer;
      if (running !== null) {
        await within(running.close(), graceMs).catch(() => {
          stopping.abort();
          return within(running.close(true), CLOSE_WITHIN_MS).catch(quietly);
        });
      }
      await within(producer.close(), CLOSE_WITHIN_MS).catch(quietly);
      await within(backend.close(), CLOSE_WITHIN_MS).catch(quietly);
    },
  };
}

/** The handler keeps every failure in Postgres; nothing is thrown into the queue, which would keep text and stack. */
async function handle(
  job: { readonly name: string; readonly data: JobData },
  handler: JobHandler,
  signal: AbortSignal,
): Promise<void> {
  if (!isJobName(job.name) || typeof job.data.id !== "string") return;
  const known: Job = { name: job.name, id: job.data.id };
  try {
    await handler(known, signal);
  } catch {
    // The handler logs by itself.
  }
}

function isJobName(name: string): name is JobName {
  return JOB_NAMES.some((known) => known === name);
}

/** Listeners keep the process alive; a backend that is away says so every few milliseconds, we once in a while. */
function quietErrors(log: Logger): (error: unknown) => void {
  let saidAt = 0;
  return () => {
    const now = performance.now();
    if (saidAt !== 0 && now - saidAt < ERROR_LOG_INTERVAL_MS) return;
    saidAt = now;
    log.warn("queue away", { effect: "the sweep finds what is owed" });
  };
}

async function within<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error("late")), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
    work.catch(() => undefined);
  }
}
