/** BullMQ on its Postgres backend, in a schema of its own beside the store. For installations without Redis. */
import { createPostgresBackend, runMigrations, withBackend } from "bullmq";
import pg from "pg";
import type { Logger } from "../../core/ports/logger.ts";
import type { Queue } from "../../core/ports/queue.ts";
import { type BullProducer, createBullQueue } from "./bull-queue.ts";
import { POSTGRES_SCHEMA, QUEUE_NAME, WORKER_OPTIONS } from "./job-options.ts";

export interface PostgresQueueConnection {
  readonly connectionString?: string;
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
}

/** BullMQ keeps one further connection per worker for listening. */
const MAX_PRODUCER_CONNECTIONS = 2;
const MAX_WORKER_CONNECTIONS = 4;
/** BullMQ's own statements take milliseconds; it waits for work by LISTEN, not by a query. */
const QUERY_TIMEOUT_MS = 15_000;

/** Creates or upgrades BullMQ's own schema; safe for many processes at once. */
export async function migratePostgresQueue(connection: PostgresQueueConnection): Promise<void> {
  const client = new pg.Client({ ...connection });
  await client.connect();
  try {
    await runMigrations(client, POSTGRES_SCHEMA);
  } finally {
    await client.end();
  }
}

export function createPostgresQueue(connection: PostgresQueueConnection, log: Logger): Queue {
  const { Queue: Producer, Worker } = withBackend(createPostgresBackend);
  const pool = (max: number) => ({
    ...connection,
    schema: POSTGRES_SCHEMA,
    max,
    application_name: "lockstep-queue",
    connectionTimeoutMillis: 5_000,
    // A peer that vanished without a word: without this the first look at the schema could wait for ever.
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
  });
  return createBullQueue(
    {
      createProducer: () =>
        replacedUntilProven(() => new Producer(QUEUE_NAME, { connection: pool(MAX_PRODUCER_CONNECTIONS) })),
      createConsumer: (processor, concurrency) =>
        new Worker(QUEUE_NAME, processor, {
          ...WORKER_OPTIONS,
          connection: pool(MAX_WORKER_CONNECTIONS),
          concurrency,
          autorun: false,
        }),
      close: async () => {},
    },
    log,
  );
}

/**
 * BullMQ remembers the outcome of its first connection for ever (6.7: `PostgresConnection.readyPromise`). A producer
 * that never worked is thrown away with its failure; one that worked once reconnects by itself.
 */
function replacedUntilProven(create: () => BullProducer): BullProducer {
  let current: BullProducer | null = null;
  let isProven = false;
  let onError: (error: Error) => void = () => undefined;
  const begin = (): BullProducer => {
    const producer = create();
    producer.on("error", (error) => onError(error));
    return producer;
  };
  return {
    async addBulk(jobs) {
      current ??= begin();
      const used = current;
      try {
        const added = await used.addBulk(jobs);
        isProven = true;
        return added;
      } catch (error) {
        if (!isProven && current === used) {
          current = null;
          used.close().catch(() => undefined);
        }
        throw error;
      }
    },
    on(_event, listener) {
      onError = listener;
    },
    close: async () => current?.close(),
  };
}
