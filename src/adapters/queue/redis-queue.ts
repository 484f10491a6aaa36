/**
 * BullMQ on Redis, through ioredis. Nothing stands there that Postgres could not rebuild.
 *
 * A Redis that takes no writes because it became a replica is left for whatever its name leads to now: ioredis alone
 * would stay with it for ever.
 */
import { once } from "node:events";
import { Queue as Producer, Worker } from "bullmq";
import { Redis, type RedisOptions } from "ioredis";
import type { Logger } from "../../core/ports/logger.ts";
import type { Queue, QueueTrouble } from "../../core/ports/queue.ts";
import { createBullQueue } from "./bull-queue.ts";
import { queueName, REDIS_PREFIX, WORKER_OPTIONS } from "./job-options.ts";
import { evictionConcern, isLineEnd, redisTrouble } from "./redis-errors.ts";

export type RedisQueueConnection = Pick<
  RedisOptions,
  "host" | "port" | "username" | "password" | "db" | "family" | "tls"
> & {
  /** Of a store that has a schema of its own: then its queue has a name of its own. */
  readonly schema?: string;
};

/** At the start, and when Redis comes back: the first add waits for the connection instead of being refused. */
const CONNECT_WITHIN_MS = 1_500;
const MAX_RECONNECT_DELAY_MS = 2_000;
const KEEP_ALIVE_MS = 10_000;

/** What a line that does not become ready, and does not fail, most likely waits for; by ioredis's names. */
const UNFINISHED: Readonly<Record<string, QueueTrouble>> = {
  connecting: {
    what: "Redis does not answer the beginning of a connection",
    remedy: "Check host and port in REDIS_URL, and whether it speaks TLS (rediss://) there.",
  },
  connect: {
    what: "Redis took the connection and is not ready: it reads its data (LOADING), or something else answers",
    remedy: "Wait until it has read its data; its log says how far it is.",
  },
};

/** `connection` as text: an address without special characters in it. */
export function createRedisQueue(connection: RedisQueueConnection | string, log: Logger): Queue {
  const [where, schema] = typeof connection === "string" ? [connection, undefined] : partsOf(connection);
  const line = watchLine(log);
  const producing = connect(where, { maxRetriesPerRequest: 1 }, line.failed);
  // BullMQ requires an unlimited retry for its blocking connection.
  const consuming = connect(where, { maxRetriesPerRequest: null }, line.failed);
  producing.on("ready", () => line.ready(producing));
  const name = queueName(schema);
  return createBullQueue(
    {
      createProducer: () => {
        const producer = new Producer(name, { connection: producing, prefix: REDIS_PREFIX });
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
        new Worker(name, processor, {
          ...WORKER_OPTIONS,
          connection: consuming,
          prefix: REDIS_PREFIX,
          concurrency,
          autorun: false,
        }),
      explain: (error) => redisTrouble(error) ?? line.trouble() ?? UNFINISHED[producing.status] ?? null,
      concern: line.concern,
      close: async () => {
        producing.disconnect();
        consuming.disconnect();
      },
    },
    log,
  );
}

function partsOf({ schema, ...options }: RedisQueueConnection): [RedisOptions, string | undefined] {
  return [options, schema];
}

/** Why there is no line, for the failures that only follow from it; until there is one again. */
function watchLine(log: Logger) {
  let trouble: QueueTrouble | null = null;
  let concern: QueueTrouble | null = null;
  return {
    trouble: (): QueueTrouble | null => trouble,
    concern: (): QueueTrouble | null => concern,
    failed: (error: Error): void => {
      if (trouble === null || !("code" in error && isLineEnd(String(error.code))))
        trouble = redisTrouble(error) ?? trouble;
    },
    ready: async (redis: Redis): Promise<void> => {
      trouble = null;
      // Who may not ask is told so by what the queue itself asks.
      const told = await redis.info("memory").catch(() => "");
      const before = concern?.what;
      concern = evictionConcern(told);
      if (concern !== null && concern.what !== before)
        log.warn("queue may lose jobs", { reason: concern.what, remedy: concern.remedy });
    },
  };
}

function connect(
  where: RedisOptions | string,
  options: { readonly maxRetriesPerRequest: number | null },
  failed: (error: Error) => void,
): Redis {
  const whole: RedisOptions = {
    ...options,
    // A peer that vanished without a word is noticed by probes; the blocking connection sends nothing by itself.
    keepAlive: KEEP_ALIVE_MS,
    retryStrategy: (times) => Math.min(times * 100, MAX_RECONNECT_DELAY_MS),
    reconnectOnError: ({ message }) => /\bREADONLY\b|\bMASTERDOWN\b|^UNBLOCKED\b/.test(message),
  };
  const redis = typeof where === "string" ? new Redis(where, whole) : new Redis({ ...where, ...whole });
  // Without a listener ioredis prints the error, and with it the address and its password.
  redis.on("error", failed);
  return redis;
}
