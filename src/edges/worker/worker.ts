/**
 * The worker: takes jobs from the queue, hands them to use cases, and sweeps. A job's failure is logged and dropped,
 * because the state of what it was about stands in Postgres, where the next sweep finds it.
 */
import { deliverDue } from "../../app/alerts/deliver.ts";
import { watchFindings } from "../../app/alerts/watch-findings.ts";
import type { AppContext } from "../../app/base/context.ts";
import { checkDue } from "../../app/drift/check-scheduled.ts";
import { runJob } from "../../app/jobs/run-job.ts";
import { sweep } from "../../app/jobs/sweep.ts";
import { discardDueCopies } from "../../app/push/discard-copies.ts";
import { sweepValues } from "../../app/values/sweep-values.ts";
import { isRingAway, isValueStoreAway, LockstepError, toLockstepError } from "../../core/errors.ts";
import type { Job, Queue } from "../../core/ports/queue.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import { pause } from "../../lib/pause.ts";
import { ForgottenWork } from "./forgotten-work.ts";

/** Together they are how long after being seen something is told: below five seconds. */
const WATCH_EVERY_MS = 2_000;
const DELIVER_EVERY_MS = 1_000;
const CHECK_EVERY_MS = 2_000;
/** Of copies that nobody needs any more. */
const DISCARD_EVERY_MS = 5_000;
/** Of values that are kept elsewhere: what must go from there, and how those in use are. */
const VALUES_EVERY_MS = 10_000;
/** With thousands of places it takes its time: a tenth of everybody's. */
const WATCH_PAUSE = 9;
const NO_QUEUE: Queue = {
  enqueue: async () => {
    throw new LockstepError("QUEUE_UNAVAILABLE", "The queue gives out nothing.");
  },
  start: async () => {},
  close: async () => {},
};

export interface Worker {
  /** Stops taking jobs, lets running ones end, and stops sweeping. */
  close(): Promise<void>;
}

export async function startWorker(
  context: AppContext,
  options: { readonly concurrency: number },
): Promise<Worker> {
  const stopping = new AbortController();
  const forgotten = new ForgottenWork(context.log);
  await context.queue.start(async (job, signal) => {
    const ended = forgotten.delivered();
    await handle(context, job, AbortSignal.any([signal, stopping.signal])).finally(ended);
  }, options);
  const sweeping = Promise.all([
    repeat(context, context.timing.sweepMs, stopping.signal, "sweep", async () => {
      await context.sealer.assertRingThere();
      await sweepOnce(context, forgotten, options.concurrency, stopping.signal);
    }),
    // Not through the queue: a place that is slow to look at must keep no push waiting.
    repeat(context, CHECK_EVERY_MS, stopping.signal, "check", async () => {
      await context.sealer.assertRingThere();
      await checkDue(context, stopping.signal);
    }),
    repeat(context, WATCH_EVERY_MS, stopping.signal, "watch", () => watchFindings(context), WATCH_PAUSE),
    repeat(context, DISCARD_EVERY_MS, stopping.signal, "discard", async () => {
      await context.sealer.assertRingThere();
      await discardDueCopies(context, stopping.signal);
    }),
    repeat(context, VALUES_EVERY_MS, stopping.signal, "values", () => sweepValues(context, stopping.signal)),
    repeat(context, DELIVER_EVERY_MS, stopping.signal, "deliver", async () => {
      while ((await deliverDue(context, stopping.signal)) > 0 && !stopping.signal.aborted);
    }),
  ]);
  return {
    close: async () => {
      stopping.abort();
      await sweeping;
    },
  };
}

async function handle(context: AppContext, job: Job, signal: AbortSignal): Promise<void> {
  try {
    await runJob(context, job, signal);
  } catch (error) {
    const failure = toLockstepError(error);
    const level = isNothing(failure) ? "debug" : "error";
    context.log[level]("job failed", {
      job: job.name,
      id: job.id,
      code: failure.code,
      reason: failure.message,
    });
    if (failure.code === "INTERNAL" && error instanceof Error)
      context.log.debug("defect", { at: whereOf(error) });
  }
}

/**
 * Another worker was faster, or what a job names is gone: a queue may repeat what was said long ago. A ring or a value
 * store that is away is told once, by the sweep and by doctor, and not by each job.
 */
function isNothing(error: LockstepError): boolean {
  return (
    error.code === "LEASE_LOST" || error.code === "NOT_FOUND" || isRingAway(error) || isValueStoreAway(error)
  );
}

/** Without a queue the work goes on, only slower: leases keep two workers from doing the same. */
async function sweepOnce(
  context: AppContext,
  forgotten: ForgottenWork,
  concurrency: number,
  signal: AbortSignal,
): Promise<void> {
  const { due, isQueued } = await sweep(context);
  const undone = forgotten.among(due);
  if (isQueued && undone.length === 0) return;
  if (isQueued) forgotten.tell();
  // What comes of it is handed to nobody who might lose it again.
  const alone = { ...context, queue: NO_QUEUE };
  await mapLimited(isQueued ? undone : due, concurrency, (job) => handle(alone, job, signal));
}

/** Side by side, so that none waits for another. */
async function repeat(
  context: AppContext,
  everyMs: number,
  signal: AbortSignal,
  name: string,
  work: () => Promise<void>,
  pauseFactor = 0,
): Promise<void> {
  let told: string | null = null;
  while (!signal.aborted) {
    const beganAtMs = performance.now();
    try {
      await context.sealer.assertCurrent();
      await work();
      told = null;
    } catch (error) {
      const failure = toLockstepError(error);
      // A ring may be away for hours: once is enough.
      if (!isRingAway(failure) || told !== failure.code)
        context.log.warn(`${name} failed`, { code: failure.code });
      told = failure.code;
    }
    await pause(Math.max(everyMs, pauseFactor * (performance.now() - beganAtMs)), signal);
  }
}

/** Where a defect happened, without its message, which may hold anything. */
function whereOf(error: Error): readonly string[] {
  return (error.stack ?? "")
    .split("\n")
    .filter((line) => line.trimStart().startsWith("at "))
    .map((line) => line.trim());
}
