/**
 * The queue over BullMQ, the same code for both backends.
 *
 * Promises: a backend that is away, flushed or restarted neither ends nor blocks the process; adding fails with
 * QUEUE_UNAVAILABLE when it is silent for `ENQUEUE_WITHIN_MS`; workers come back by themselves. What got lost, the sweep finds.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { JobsOptions } from "bullmq";
import { LockstepError } from "../../core/errors.ts";
import type { Logger } from "../../core/ports/logger.ts";
import type { Job, JobHandler, Queue, QueueTrouble } from "../../core/ports/queue.ts";
import { seldom } from "../../lib/seldom.ts";
import { type JobData, jobOptions } from "./job-options.ts";
import { readJob } from "./read-job.ts";

/** After a refusal nobody waits for the queue again for that long: work goes on by the sweep, without a pause each. */
const AWAY_FOR_MS = 2_000;
const ENQUEUE_WITHIN_MS = 2_000;
const MAX_AT_ONCE = 50;
const CLOSE_GRACE_MS = 10_000;
/** For letting go after the grace: a backend that is away never answers, and the process has nothing to lose. */
const LET_GO_WITHIN_MS = 1_500;
const ERROR_LOG_INTERVAL_MS = 10_000;
/** Pause before a worker that could not begin is begun anew. */
const BEGIN_AGAIN_MS = 1_000;

/** What is used of BullMQ's Queue and Worker, whatever their backend. */
export interface BullProducer {
  addBulk(jobs: { name: string; data: JobData; opts: JobsOptions }[]): Promise<unknown>;
  on(event: "error", listener: (error: Error) => void): unknown;
  close(): Promise<unknown>;
}

export interface BullConsumer {
  on(event: "error", listener: (error: Error) => void): unknown;
  waitUntilReady(): Promise<unknown>;
  run(): Promise<void>;
  close(force?: boolean): Promise<unknown>;
}

/** Whoever writes into the backend decides what stands there. */
export type BullProcessor = (job: {
  readonly name: unknown;
  readonly data: unknown;
  /** When it was added, in ms since the epoch. */
  readonly timestamp: number;
  readonly opts: { readonly delay?: number };
}) => Promise<void>;

export interface BullBackend {
  createProducer(): BullProducer;
  createConsumer(processor: BullProcessor, concurrency: number): BullConsumer;
  /** What a failure of it comes from; null: it does not answer, and nobody knows why. */
  explain(error: unknown): QueueTrouble | null;
  /** As `Queue` says. */
  concern?(): QueueTrouble | null;
  /** Connections that BullMQ does not close itself. */
  close(): Promise<void>;
}

export function createBullQueue(backend: BullBackend, log: Logger): Queue {
  const quietly = quietErrors(log, backend.explain);
  const producer = backend.createProducer();
  producer.on("error", quietly);
  /** For handlers: the grace is over. */
  const giveUp = new AbortController();
  const closing = new AbortController();
  let consumer: BullConsumer | null = null;
  let awayUntilMs = 0;
  let awayBecause: QueueTrouble | null = null;

  /**
   * Runs a worker only once it is ready, and replaces one that never was. BullMQ 6.7 remembers the failure of its
   * first Postgres connection for ever, and a running worker asks it again in a loop that never yields: "the database
   * is starting up" froze the whole process. Once it was ready it pauses and reconnects by itself.
   */
  const consume = async (processor: BullProcessor, concurrency: number): Promise<void> => {
    while (!closing.signal.aborted) {
      const begun = backend.createConsumer(processor, concurrency);
      consumer = begun;
      begun.on("error", quietly);
      try {
        await begun.waitUntilReady();
        // Until it is closed.
        if (!closing.signal.aborted) await begun.run();
      } catch (error) {
        quietly(error);
      }
      if (closing.signal.aborted) return;
      await within(begun.close(true), LET_GO_WITHIN_MS).catch(quietly);
      await delay(BEGIN_AGAIN_MS, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  };

  return {
    async enqueue(jobs, { delayMs = 0 } = {}) {
      if (jobs.length === 0) return;
      if (performance.now() < awayUntilMs) throw away(awayBecause);
      try {
        // A thousand at once take longer than a queue may be silent, without being away.
        for (let from = 0; from < jobs.length; from += MAX_AT_ONCE) {
          const added = producer.addBulk(
            jobs.slice(from, from + MAX_AT_ONCE).map((job, at) => ({
              name: job.name,
              data: { id: job.id },
              opts: jobOptions(job, delayMs, from + at),
            })),
          );
          await within(added, ENQUEUE_WITHIN_MS);
        }
      } catch (error) {
        quietly(error);
        awayUntilMs = performance.now() + AWAY_FOR_MS;
        awayBecause = backend.explain(error);
        throw away(awayBecause);
      }
    },

    async start(handler, { concurrency }) {
      const onForeign = seldom(ERROR_LOG_INTERVAL_MS, () =>
        log.warn("queue holds foreign jobs", {
          effect: "they are dropped; nobody else should write into it",
        }),
      );
      void consume(async (job) => {
        const known = readJob(job);
        if (known === null) onForeign();
        else await handle(handler, known, giveUp.signal, waitedMs(job));
      }, concurrency);
    },

    concern: () => backend.concern?.() ?? null,

    async close(graceMs = CLOSE_GRACE_MS) {
      closing.abort();
      const running = consumer;
      if (running !== null) {
        await within(running.close(), graceMs).catch(() => {
          giveUp.abort();
          return within(running.close(true), LET_GO_WITHIN_MS).catch(quietly);
        });
      }
      await within(producer.close(), LET_GO_WITHIN_MS).catch(quietly);
      await within(backend.close(), LET_GO_WITHIN_MS).catch(quietly);
    },
  };
}

function away(trouble: QueueTrouble | null): LockstepError {
  return trouble === null
    ? new LockstepError("QUEUE_UNAVAILABLE", "Cannot hand work to the queue: it did not answer.")
    : new LockstepError("QUEUE_UNAVAILABLE", `Cannot hand work to the queue: ${trouble.what}.`, {
        details: { reason: trouble.what },
        hint: trouble.remedy,
      });
}

/** The handler keeps every failure in Postgres; nothing is thrown into the queue, which would keep text and stack. */
async function handle(handler: JobHandler, job: Job, signal: AbortSignal, waited: number): Promise<void> {
  try {
    await handler(job, signal, waited);
  } catch {
    // The handler logs by itself.
  }
}

/** By how much it was put off stays in its options alone once its time has come. Others may have written both. */
function waitedMs({ timestamp, opts }: Parameters<BullProcessor>[0]): number {
  const waited = Date.now() - timestamp - (opts.delay ?? 0);
  return Number.isFinite(waited) ? Math.max(0, waited) : 0;
}

/** Listeners keep the process alive; a backend that is away says so every few milliseconds, we each reason once in a while. */
function quietErrors(log: Logger, explain: BullBackend["explain"]): (error?: unknown) => void {
  const saidAtMs = new Map<string, number>();
  return (error) => {
    const trouble = explain(error);
    const nowMs = performance.now();
    // What follows from a known reason is no news.
    const latest = trouble === null ? Math.max(...saidAtMs.values()) : saidAtMs.get(trouble.what);
    if (latest !== undefined && nowMs - latest < ERROR_LOG_INTERVAL_MS) return;
    saidAtMs.set(trouble?.what ?? "", nowMs);
    log.warn("queue away", {
      effect: "the sweep finds what is owed",
      ...(trouble === null ? {} : { reason: trouble.what, remedy: trouble.remedy }),
    });
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
