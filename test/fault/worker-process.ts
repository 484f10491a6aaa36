/**
 * A worker as a process of its own, for tests that kill or stop it. `KILL_AT=<checkpoint>:<n>` ends it with SIGKILL at
 * the n-th time that it reaches the checkpoint: nothing is flushed, no handler runs. `STOP_AT` (stop-points.ts) freezes
 * it with SIGSTOP instead. It prints `ready`, and after each job how many others are under way.
 *
 * Told `rest`, it ends its work in order and says when it has; told `{ killAt }`, it then begins anew, as another process
 * would: to load the program takes longer than to be killed.
 */
import { type Checkpoint, DEFAULT_TIMING } from "../../src/app/base/context.ts";
import { composeContext } from "../../src/composition/compose.ts";
import type { Queue } from "../../src/core/ports/queue.ts";
import { startWorker } from "../../src/edges/worker/worker.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { stopBetweenBytes, stopHere } from "./stop-points.ts";

type Order = "rest" | { readonly killAt: string };

const [stopAt = "", nthStop = "1"] = (process.env["STOP_AT"] ?? "").split(":");
let running = 0;
stopBetweenBytes(stopAt, nthStop);

async function work(kill: string): Promise<() => Promise<void>> {
  const [killAt = "", nth = "1"] = kill.split(":");
  let reached = 0;
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
      context.queue.start(async (job, signal, waitedMs) => {
        running += 1;
        await handler(job, signal, waitedMs);
        running -= 1;
        process.stdout.write(`running ${running}\n`);
      }, options),
  };
  const worker = await startWorker({ ...context, queue }, { concurrency: 4 });
  return async () => {
    await worker.close();
    await close();
  };
}

let stop = await work(process.env["KILL_AT"] ?? "");
process.stdout.write("ready\n");

process.on("message", async (order: Order) => {
  if (order === "rest") await stop();
  else stop = await work(order.killAt);
  process.send?.("done");
});
process.once("SIGTERM", async () => {
  await stop();
  // As main.ts does: a library that still tries to reach a queue that is gone must not hold the process.
  process.exit();
});
