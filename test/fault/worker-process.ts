/**
 * A worker as a process of its own, for tests that kill or stop it. `KILL_AT=<checkpoint>:<n>` ends it with SIGKILL at
 * the n-th time that it reaches the checkpoint: nothing is flushed, no handler runs. `STOP_AT` (stop-points.ts) freezes
 * it with SIGSTOP instead. It prints `ready`, and after each job how many others are under way.
 */
import { type Checkpoint, DEFAULT_TIMING } from "../../src/app/context.ts";
import { composeContext } from "../../src/compose.ts";
import { readSettings } from "../../src/config.ts";
import type { Queue } from "../../src/core/ports/queue.ts";
import { startWorker } from "../../src/edges/worker/worker.ts";
import { stopBetweenBytes, stopHere } from "./stop-points.ts";

const [killAt = "", nth = "1"] = (process.env["KILL_AT"] ?? "").split(":");
const [stopAt = "", nthStop = "1"] = (process.env["STOP_AT"] ?? "").split(":");
let reached = 0;
let running = 0;
stopBetweenBytes(stopAt, nthStop);

const { context, close } = await composeContext("worker", readSettings(), {
  timing: {
    ...DEFAULT_TIMING,
    leaseMs: 2_000,
    sweepMs: 100,
    sendWithinMs: 500,
    quietMs: 100,
    maxQuietMs: 500,
    minPollMs: 50,
    maxPollMs: 200,
    notStartedAfterMs: 1_500,
    readBackDelaysMs: [50, 100, 200, 400],
    retryFailedActivationMs: 200,
  },
  checkpoint: async (point: Checkpoint) => {
    if (point !== killAt && point !== stopAt) return;
    reached += 1;
    if (point === killAt && reached === Number(nth)) process.kill(process.pid, "SIGKILL");
    if (point === stopAt && reached === Number(nthStop)) stopHere();
  },
});
const queue: Queue = {
  ...context.queue,
  start: (handler, options) =>
    context.queue.start(async (job, signal) => {
      running += 1;
      await handler(job, signal);
      running -= 1;
      process.stdout.write(`running ${running}\n`);
    }, options),
};
const worker = await startWorker({ ...context, queue }, { concurrency: 4 });
process.stdout.write("ready\n");

process.once("SIGTERM", async () => {
  await worker.close();
  await close();
  // As main.ts does: a library that still tries to reach a queue that is gone must not hold the process.
  process.exit();
});
