import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Queue } from "../../src/core/ports/queue.ts";
import { job, QUEUE_BACKENDS, type QueueBackend, recordRuns } from "../support/queue-kit.ts";

function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe.each(QUEUE_BACKENDS)("the queue on $name", ({ start, missing }) => {
  describe.skipIf(missing)("keeps its contract", () => {
    let backend: QueueBackend;
    const opened: Queue[] = [];
    const open = (): Queue => {
      const queue = backend.open();
      opened.push(queue);
      return queue;
    };

    beforeAll(async () => {
      backend = await start();
    });
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((queue) => queue.close(500)));
    });
    afterAll(() => backend.stop());

    it("the same job added again while it waits runs once", async () => {
      const producer = open();
      await producer.enqueue([job("twice"), job("twice")]);
      await producer.enqueue([job("twice"), job("marker")]);
      const seen = recordRuns();
      await open().start(seen.handler, { concurrency: 1 });
      await seen.reached(2);
      expect(seen.runs).toEqual(["twice", "marker"]);
    });

    it("added any number of times while it runs, it runs exactly once more", async () => {
      const queue = open();
      const seen = recordRuns();
      const hold = gate();
      seen.holdUntil(hold.opened);
      await queue.start(seen.handler, { concurrency: 2 });
      await queue.enqueue([job("busy")]);
      await seen.reached(1);
      await queue.enqueue([job("busy")]);
      await queue.enqueue([job("busy")]);
      hold.open();
      await seen.reached(2);
      await queue.enqueue([job("last")]);
      await seen.reached(3);
      expect(seen.runs).toEqual(["busy", "busy", "last"]);
    });

    it("added while it is delayed, it is neither dropped nor doubled, and comes forward", async () => {
      const queue = open();
      const seen = recordRuns();
      await queue.start(seen.handler, { concurrency: 1 });
      await queue.enqueue([job("later")], { delayMs: 3_600_000 });
      await queue.enqueue([job("later")]);
      await seen.reached(1);
      await queue.enqueue([job("marker")]);
      await seen.reached(2);
      expect(seen.runs).toEqual(["later", "marker"]);
    });

    it("a delayed job runs at its time, and says how long it waited after that", async () => {
      const queue = open();
      const seen = recordRuns();
      const waited: number[] = [];
      await queue.start(
        async (one, _signal, waitedMs) => {
          waited.push(waitedMs);
          await seen.handler(one);
        },
        { concurrency: 1 },
      );
      const beforeMs = Date.now();
      await queue.enqueue([job("soon")], { delayMs: 50 });
      await seen.reached(1);
      expect(seen.runs).toEqual(["soon"]);
      expect(waited[0]).toBeGreaterThanOrEqual(0);
      expect(waited[0]).toBeLessThanOrEqual(Date.now() - beforeMs - 45);
    });

    it("the same id under another name is another job", async () => {
      const queue = open();
      const seen = recordRuns();
      const id = randomUUID();
      await queue.enqueue([job(id), { name: "reconcile", id }]);
      await queue.start(seen.handler, { concurrency: 1 });
      await seen.reached(2);
      expect(seen.runs).toEqual([id, id]);
    });

    it("a thousand jobs over two workers: none is lost, none runs twice", async () => {
      const producer = open();
      const ids = Array.from({ length: 1_000 }, (_, index) => `job-${index}`);
      const seen = recordRuns();
      await open().start(seen.handler, { concurrency: 8 });
      await open().start(seen.handler, { concurrency: 8 });
      await producer.enqueue(ids.map(job));
      await seen.reached(1_000);
      expect([...seen.runs].sort()).toEqual([...ids].sort());
    });

    it("a change of hundreds of places keeps nobody waiting who changed one, and loses none", async () => {
      const producer = open();
      const many = Array.from({ length: 200 }, (_, at) => job(`many-${at}`));
      await producer.enqueue(many);
      await producer.enqueue([job("one")]);
      const seen = recordRuns();
      await open().start(seen.handler, { concurrency: 1 });
      await seen.reached(201);
      expect(new Set(seen.runs).size).toBe(201);
      expect(seen.runs.indexOf("one")).toBe(50);
      // Among themselves they keep their order.
      expect(seen.runs.filter((one) => one !== "one")).toEqual(many.map(({ id }) => id));
    });

    it("a failing handler leaves nothing in the queue, and the job can run again", async () => {
      const queue = open();
      let tries = 0;
      const seen = recordRuns();
      await queue.start(
        async (one) => {
          tries += 1;
          await seen.handler(one);
          throw new Error("canary-8d1e");
        },
        { concurrency: 1 },
      );
      await queue.enqueue([job("fails")]);
      await seen.reached(1);
      await queue.enqueue([job("fails")]);
      await seen.reached(2);
      expect(tries).toBe(2);
    });

    it("closing waits for the running job", async () => {
      const queue = open();
      const seen = recordRuns();
      const hold = gate();
      seen.holdUntil(hold.opened);
      await queue.start(seen.handler, { concurrency: 1 });
      await queue.enqueue([job("slow")]);
      await seen.reached(1);
      let closed = false;
      const ended = seen.ended();
      const closing = queue.close(10_000).then(() => {
        closed = true;
      });
      expect(closed).toBe(false);
      hold.open();
      await ended;
      await closing;
      expect(closed).toBe(true);
    });
  });
});
