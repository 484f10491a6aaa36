/** BullMQ on Redis, through ioredis. Nothing stands there that Postgres could not rebuild. */
import { once } from "node:events";
import { Queue as Producer, Worker } from "bullmq";
import { Redis } from "ioredis";
import type { Logger } from "../../core/ports/logger.ts";
import type { Queue } from "../../core/ports/queue.ts";
import { createBullQueue } from "./bull-queue.ts";
import { QUEUE_NAME, REDIS_PREFIX, WORKER_OPTIONS } from "./job-options.ts";

/** At the start, and when Redis comes back: the first add waits for the connection instead of being refused. */
const CONNECT_WITHIN_MS = 1_500;
const MAX_RECONNECT_DELAY_MS = 2_000;
const KEEP_ALIVE_MS = 10_000;

export function createRedisQueue(redisUrl: string, log: Logger): Queue {
  const producing = connect(redisUrl, { maxRetriesPerRequest: 1 });
  // BullMQ requires an unlimited retry for its blocking connection.
  const consuming = connect(redisUrl, { maxRetriesPerRequest: null });
  return createBullQueue(
    {
      createProducer: () => {
        const producer = new Producer(QUEUE_NAME, { connection: producing, prefix: REDIS_PREFIX });
        return {
          // Refused while Redis is away, instead of piling up in memory with every sweep.
          addBulk: async (jobs) => {
            if (producing.status !== "ready")
              await once(producing, "ready", { signal: AbortSignal.timeout(CONNECT_WITHIN_MS) });
            return producer.addBulk(jobs);
          },
          on: (event, listener) => producer.on(event, listener),
          close: () => producer.close(),
        };
      },
      createConsumer: (processor, concurrency) =>
        new Worker(QUEUE_NAME, processor, {
          ...WORKER_OPTIONS,
          connection: consuming,
          prefix: REDIS_PREFIX,
          concurrency,
          autorun: false,
        }),
      close: async () => {
        producing.disconnect();
        consuming.disconnect();
      },
    },
    log,
  );
}

function connect(redisUrl: string, options: { readonly maxRetriesPerRequest: number | null }): Redis {
  const redis = new Redis(redisUrl, {
    ...options,
    // A peer that vanished without a word is noticed by probes; the blocking connection sends nothing by itself.
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: (times) => Math.min(times * 100, MAX_RECONNECT_DELAY_MS),
  });
  // Without a listener ioredis prints the error, and with it the address and its password.
  redis.on("error", () => undefined);
  return redis;
}
