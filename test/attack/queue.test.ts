/**
 * Somebody writes into Redis: another store with the same prefix, an old dump that was put back, or an attacker. Law 1: the
 * queue is a hint. Nothing wrong is done, nothing is learned, the log stays short, and the work is only later.
 */
import { randomUUID } from "node:crypto";
import { Queue as Producer } from "bullmq";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { QUEUE_NAME, REDIS_PREFIX } from "../../src/adapters/queue/job-options.ts";
import { createRedisQueue } from "../../src/adapters/queue/redis-queue.ts";
import { DEFAULT_TIMING } from "../../src/app/base/context.ts";
import type { Logger } from "../../src/core/ports/logger.ts";
import type { Job, Queue } from "../../src/core/ports/queue.ts";
import { startWorker, type Worker } from "../../src/edges/worker/worker.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { createLoopKit, type LoopKit } from "../support/loop-kit.ts";
import { recordRuns } from "../support/queue-kit.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { type ScriptedPlace, scriptedPlace } from "../support/scripted-target.ts";
import { lacks } from "../support/servers.ts";

const CANARY = "canary-51c9e0";
const KEY = `${REDIS_PREFIX}:${QUEUE_NAME}`;

describe.skipIf(lacks("redis"))("law 1: a Redis into which somebody writes", () => {
  let redis: TestRedis;
  let raw: Redis;
  const opened: Queue[] = [];
  const lines: string[] = [];
  const say = (event: string, fields?: object) => void lines.push(JSON.stringify({ event, ...fields }));
  const log: Logger = { debug: () => {}, info: () => {}, warn: say, error: say };
  const open = () => {
    const queue = createRedisQueue(redis.url, log);
    opened.push(queue);
    return queue;
  };
  const forge = async (jobs: readonly { readonly name: string; readonly data: unknown }[]) => {
    const stranger = new Producer(QUEUE_NAME, { connection: raw, prefix: REDIS_PREFIX });
    await stranger.addBulk(jobs.map(({ name, data }) => ({ name, data, opts: {} })));
  };

  beforeAll(async () => {
    redis = await startRedis();
  });
  beforeEach(async () => {
    await redis.flush();
    raw = new Redis(redis.url);
    lines.length = 0;
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((queue) => queue.close(300)));
    raw.disconnect();
  });
  afterAll(() => redis.stop());

  it("hands on nothing that is not a job of ours: foreign names, ids that are none, megabytes", async () => {
    const mine = randomUUID();
    const id = randomUUID();
    await forge([
      { name: "__proto__", data: { id } },
      { name: "constructor", data: { id } },
      { name: "reveal", data: { id } },
      { name: "", data: { id } },
      ...[null, 7, "text", [], {}, { id: null }, { id: 1 }, { id: [id] }, { id: { toString: id } }].map(
        (data) => ({ name: "reconcile", data }),
      ),
      { name: "reconcile", data: JSON.parse(`{"__proto__":{"id":"${id}"}}`) },
      { name: "reconcile", data: { id: `${id}' or true --` } },
      { name: "reconcile", data: { id: `${CANARY}${"x".repeat(10_000_000)}` } },
      { name: "follow", data: { id: `${CANARY}\n\u001b[2Jpage` } },
      { name: "follow", data: { id: CANARY.repeat(1_000) } },
      { name: "reconcile", data: { id: mine } },
    ]);
    const seen: Job[] = [];
    const runs = recordRuns();
    await open().start(
      async (job) => {
        seen.push(job);
        await runs.handler(job);
      },
      { concurrency: 1 },
    );
    await runs.saw(mine);
    expect(seen).toEqual([{ name: "reconcile", id: mine }]);
    expect(lines.length).toBeLessThanOrEqual(2);
    expect(lines.join()).not.toContain(CANARY);
    expect(Object.hasOwn(Object.prototype, "id")).toBe(false);
  });

  describe("with a worker on a store", () => {
    let database: TestDatabase;
    let kit: LoopKit;
    let place: ScriptedPlace;
    let worker: Worker;

    beforeAll(async () => {
      database = await createTestDatabase();
      kit = createLoopKit(database);
    });
    afterAll(() => database.drop());
    beforeEach(async () => {
      await kit.reset();
      place = scriptedPlace(await kit.target("api"));
      await kit.secret("AUTH");
      await kit.bind("AUTH", "api");
    });
    afterEach(() => worker.close());

    const begin = async () => {
      const timing = { ...kit.context.timing, sweepMs: 50, relookMs: 50, notStartedAfterMs: 1_000 };
      const context = kit.other({ queue: open(), log, timing: { ...DEFAULT_TIMING, ...timing } });
      worker = await startWorker(context, { concurrency: 2 });
      return context;
    };
    const arrives = async (value: string) => {
      const deadline = AbortSignal.timeout(20_000);
      for (;;) {
        const [open] = await kit.rows<{ open: boolean }>(
          "select exists (select 1 from rollout where state in ('running', 'stalled')) as open",
        );
        if (place.running.get("AUTH") === value && open?.open === false) return;
        if (deadline.aborted) throw new Error(`${value} did not arrive; ${lines.slice(-5).join("\n")}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    };

    it("does nothing for ids that it does not know or that are done, and says little of them", async () => {
      const context = await begin();
      await kit.set("AUTH", "first", context);
      await arrives("first");
      const before = { writes: place.writes.length, restarts: place.restarts };
      const [targetId = ""] = await kit.targetIds("api");
      const ids = async (table: string) =>
        (await kit.rows<{ id: string }>(`select id from ${table}`)).map((row) => row.id);
      const known = [
        targetId,
        ...(await ids("activation")),
        ...(await ids("rollout")),
        ...(await ids("secret")),
      ];
      const names = ["reconcile", "activate", "advance", "look", "renew"];
      await forge(
        Array.from({ length: 40 }, (_, index) => ({
          name: names[index % names.length] ?? "",
          data: { id: known[index % known.length] ?? randomUUID() },
        })),
      );
      await forge(
        names.flatMap((name) => Array.from({ length: 20 }, () => ({ name, data: { id: randomUUID() } }))),
      );
      await kit.set("AUTH", "second", context);
      await arrives("second");
      expect(place.writes.length - before.writes).toBe(1);
      expect(place.restarts - before.restarts).toBe(1);
      expect(lines.slice(0, 5)).toEqual([]);
    });

    const hurts: readonly (readonly [string, () => Promise<unknown>])[] = [
      ["paused the queue", () => raw.hset(`${KEY}:meta`, "paused", "1")],
      ["set its limit to none", () => raw.hset(`${KEY}:meta`, { max: "1", duration: "3600000" })],
      ["put another type at its list", () => raw.set(`${KEY}:wait`, CANARY)],
      ["put another type at its marker", () => raw.set(`${KEY}:marker`, CANARY)],
      ["put another type at its settings", () => raw.set(`${KEY}:meta`, CANARY)],
      ["put another type at its delayed jobs", () => raw.set(`${KEY}:delayed`, CANARY)],
      [
        "left a job that cannot be read",
        async () => {
          await raw.hset(`${KEY}:7`, {
            name: "reconcile",
            data: `{"id": "${CANARY}`,
            opts: "{}",
            timestamp: "1",
          });
          await raw.lpush(`${KEY}:wait`, "7");
          await raw.zadd(`${KEY}:marker`, 0, "0");
        },
      ],
      ["left a job that is not there", () => raw.lpush(`${KEY}:wait`, "8")],
    ];
    it.each(hurts)("who %s delays work, and no more", async (_, hurt) => {
      await hurt();
      const context = await begin();
      await kit.set("AUTH", "first", context);
      await arrives("first");
      await kit.set("AUTH", "second", context);
      await arrives("second");
      expect(lines.join()).not.toContain(CANARY);
      expect(lines.length).toBeLessThanOrEqual(12);
    });
  });
});
