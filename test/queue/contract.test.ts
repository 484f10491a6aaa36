import { EventEmitter, once } from "node:events";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { createPostgresQueue, migratePostgresQueue } from "../../src/adapters/queue/postgres-queue.ts";
import { createRedisQueue } from "../../src/adapters/queue/redis-queue.ts";
import type { Job, Queue } from "../../src/core/ports/queue.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { SILENT } from "../support/database-clusters.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { lacks } from "../support/servers.ts";

interface Backend {
  open(): Queue;
  stop(): Promise<void>;
}

async function onRedis(): Promise<Backend & { readonly redis: TestRedis }> {
  const redis = await startRedis();
  return { redis, open: () => createRedisQueue(redis.url, SILENT), stop: () => redis.stop() };
}

async function onPostgres(): Promise<Backend & { readonly database: TestDatabase }> {
  const database = await createTestDatabase();
  await migratePostgresQueue(database.connection);
  return {
    database,
    open: () => createPostgresQueue(database.connection, SILENT),
    stop: () => database.drop(),
  };
}

const job = (id: string): Job => ({ name: "reconcile", id });

/** Counts runs, and lets a test hold a run open. */
function recorder() {
  const runs: string[] = [];
  const events = new EventEmitter();
  let gate: Promise<void> = Promise.resolve();
  return {
    runs,
    holdUntil(open: Promise<void>): void {
      gate = open;
    },
    handler: async ({ id }: Job): Promise<void> => {
      runs.push(id);
      events.emit("run", id);
      await gate;
      events.emit("end", id);
    },
    async reached(count: number): Promise<void> {
      while (runs.length < count) await once(events, "run", { signal: AbortSignal.timeout(20_000) });
    },
    async ended(): Promise<void> {
      await once(events, "end", { signal: AbortSignal.timeout(20_000) });
    },
  };
}

function gate(): { readonly open: () => void; readonly opened: Promise<void> } {
  let open = (): void => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { open, opened };
}

describe.each([
  { name: "Redis", start: onRedis, missing: lacks("redis") },
  { name: "Postgres", start: onPostgres, missing: false },
])("the queue on $name", ({ start, missing }) => {
  describe.skipIf(missing)("keeps its contract", () => {
    let backend: Backend;
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
      const seen = recorder();
      await open().start(seen.handler, { concurrency: 1 });
      await seen.reached(2);
      expect(seen.runs).toEqual(["twice", "marker"]);
    });

    it("added any number of times while it runs, it runs exactly once more", async () => {
      const queue = open();
      const seen = recorder();
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
      const seen = recorder();
      await queue.start(seen.handler, { concurrency: 1 });
      await queue.enqueue([job("later")], { delayMs: 3_600_000 });
      await queue.enqueue([job("later")]);
      await seen.reached(1);
      await queue.enqueue([job("marker")]);
      await seen.reached(2);
      expect(seen.runs).toEqual(["later", "marker"]);
    });

    it("a delayed job runs at its time", async () => {
      const queue = open();
      const seen = recorder();
      await queue.start(seen.handler, { concurrency: 1 });
      await queue.enqueue([job("soon")], { delayMs: 50 });
      await seen.reached(1);
      expect(seen.runs).toEqual(["soon"]);
    });

    it("the same id under another name is another job", async () => {
      const queue = open();
      const seen = recorder();
      await queue.enqueue([job("x"), { name: "follow", id: "x" }]);
      await queue.start(seen.handler, { concurrency: 1 });
      await seen.reached(2);
      expect(seen.runs).toEqual(["x", "x"]);
    });

    it("a thousand jobs over two workers: none is lost, none runs twice", async () => {
      const producer = open();
      const ids = Array.from({ length: 1_000 }, (_, index) => `job-${index}`);
      const seen = recorder();
      await open().start(seen.handler, { concurrency: 8 });
      await open().start(seen.handler, { concurrency: 8 });
      await producer.enqueue(ids.map(job));
      await seen.reached(1_000);
      expect([...seen.runs].sort()).toEqual([...ids].sort());
    });

    it("a failing handler leaves nothing in the queue, and the job can run again", async () => {
      const queue = open();
      let tries = 0;
      const seen = recorder();
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
      const seen = recorder();
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

describe.skipIf(lacks("redis"))("the queue while Redis misbehaves", () => {
  it("flushed: what is added afterwards runs; away: adding fails soon, and works again after its return", async () => {
    const { redis, open, stop } = await onRedis();
    const queue = open();
    try {
      const seen = recorder();
      await queue.start(seen.handler, { concurrency: 1 });
      await queue.enqueue([job("before")]);
      await seen.reached(1);
      await redis.flush();
      await queue.enqueue([job("after-flush")]);
      await seen.reached(2);

      await redis.kill();
      await expect(queue.enqueue([job("away")])).rejects.toMatchObject({ code: "QUEUE_UNAVAILABLE" });
      await redis.restart();
      await untilAccepted(queue, job("back"));
      await seen.reached(3);
      expect(seen.runs.at(-1)).toBe("back");
    } finally {
      await queue.close(500);
      await stop();
    }
  });
});

/** Adds until the connection is back; bounded. */
async function untilAccepted(queue: Queue, added: Job): Promise<void> {
  const deadline = AbortSignal.timeout(20_000);
  while (!deadline.aborted) {
    try {
      return await queue.enqueue([added]);
    } catch {
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  throw new Error("the queue did not come back");
}
