/**
 * The worker: takes jobs from the queue, hands them to use cases, sweeps, and makes the other rounds. A job's failure is logged and dropped,
 * because the state of what it was about stands in Postgres, where the next sweep finds it.
 */
import type { AppContext } from "../../app/base/context.ts";
import { ROUNDS, type Round } from "../../app/jobs/rounds.ts";
import { runJob } from "../../app/jobs/run-job.ts";
import { sweep } from "../../app/jobs/sweep.ts";
import { isRingAway, isValueStoreAway, LockstepError, toLockstepError } from "../../core/errors.ts";
import type { Job, Queue } from "../../core/ports/queue.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import { pause } from "../../lib/pause.ts";
import { ForgottenWork } from "./forgotten-work.ts";

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
  await context.queue.start(async (job, signal, waitedMs) => {
    context.telemetry.jobWaited(job.name, waitedMs / 1_000);
    const ended = forgotten.delivered();
    await handle(context, job, AbortSignal.any([signal, stopping.signal])).finally(ended);
  }, options);
  const sweepRound: Round = {
    name: "sweep",
    everyMs: context.timing.sweepMs,
    needsRing: true,
    run: (_, signal) => sweepOnce(context, forgotten, options.concurrency, signal),
  };
  const rounds = Promise.all([sweepRound, ...ROUNDS].map((round) => repeat(context, round, stopping.signal)));
  return {
    close: async () => {
      stopping.abort();
      await rounds;
    },
  };
}

async function handle(context: AppContext, job: Job, signal: AbortSignal): Promise<void> {
  try {
    await context.telemetry.during("job", job.name, () => runJob(context, job, signal));
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

async function repeat(context: AppContext, round: Round, signal: AbortSignal): Promise<void> {
  const { name, everyMs, needsRing, restFactor = 0, run } = round;
  let failedWith: string | null = null;
  while (!signal.aborted) {
    const beganAtMs = performance.now();
    try {
      await context.telemetry.during("loop", name, async () => {
        await context.sealer.assertCurrent();
        if (needsRing) await context.sealer.assertRingThere();
        await run(context, signal);
      });
      failedWith = null;
    } catch (error) {
      const failure = toLockstepError(error);
      // A ring may be away for hours: once is enough.
      if (!isRingAway(failure) || failedWith !== failure.code)
        context.log.warn(`${name} failed`, { code: failure.code });
      failedWith = failure.code;
    }
    await pause(Math.max(everyMs, restFactor * (performance.now() - beganAtMs)), signal);
  }
}

/** Where a defect happened, without its message, which may hold anything. */
function whereOf(error: Error): readonly string[] {
  return (error.stack ?? "")
    .split("\n")
    .filter((line) => line.trimStart().startsWith("at "))
    .map((line) => line.trim());
}
