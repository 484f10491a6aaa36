import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { job, QUEUE_BACKENDS, recordRuns } from "../support/queue-kit.ts";

/** An error event that nobody hears ends a process: the runner counts it as a failure of this file. */
it("a Postgres that shuts down while the queue begins or ends: the process goes on", async () => {
  const postgres = QUEUE_BACKENDS.find(({ name }) => name === "Postgres");
  if (postgres === undefined) throw new Error("the Postgres backend is not known to the kit");
  const backend = await postgres.start();
  const rounds = 30;
  for (let round = 0; round < rounds; round += 1) {
    const queue = backend.open();
    await queue.start(recordRuns().handler, { concurrency: 1 });
    await queue.enqueue([job("x")]);
    // Meets another step of connecting in each round.
    await delay(round);
    await Promise.all([queue.close(300), backend.goAway()]);
    await backend.comeBack();
    // The kit's own idle connections have died as well, and say so once each.
    await expect.poll(() => backend.dump().then(Boolean, () => false), { timeout: 10_000 }).toBe(true);
  }
  await backend.stop();
});
