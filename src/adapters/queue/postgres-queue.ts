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

const MAX_PRODUCER_CONNECTIONS = 2;
/** One of them listens. */
const MAX_WORKER_CONNECTIONS = 5;
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
  return createBullQueue(
    {
      createProducer: () =>
        replacedUntilProven(() => {
          const pool = createPool(connection, MAX_PRODUCER_CONNECTIONS);
          const producer = new Producer(QUEUE_NAME, { connection: pool });
          return {
            addBulk: (jobs) => producer.addBulk(jobs),
            on: (event, listener) => producer.on(event, listener),
            close: () => closeWithPool(producer.close(), pool),
          };
        }),
      createConsumer: (processor, concurrency) => {
        const pool = createPool(connection, MAX_WORKER_CONNECTIONS);
        const worker = new Worker(QUEUE_NAME, processor, {
          ...WORKER_OPTIONS,
          connection: pool,
          concurrency,
          autorun: false,
        });
        return {
          on: (event, listener) => worker.on(event, listener),
          waitUntilReady: () => worker.waitUntilReady(),
          run: () => worker.run(),
          close: (force) => closeWithPool(worker.close(force), pool),
        };
      },
      close: async () => {},
    },
    log,
  );
}

/** BullMQ takes a pool where its types ask for the options of one. */
type PoolAsOptions = pg.Pool & Record<string, unknown>;

function createPool(connection: PostgresQueueConnection, max: number): PoolAsOptions {
  return new pg.Pool({
    ...connection,
    Client: UncrashableClient,
    max,
    application_name: "lockstep-queue",
    // BullMQ's statements name its tables without their schema.
    options: `-c search_path=${POSTGRES_SCHEMA}`,
    connectionTimeoutMillis: 5_000,
    // A peer that vanished without a word: without this the first look at the schema could wait for ever.
    query_timeout: QUERY_TIMEOUT_MS,
    keepAlive: true,
  }) as PoolAsOptions;
}

/**
 * BullMQ 6.7 takes its listener from a connection before it has ended it (`PostgresConnection.close`), and adds it
 * only after one has begun: a server that shuts down in between would end the process by an unheard "error".
 */
class UncrashableClient extends pg.Client {
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === "error" && this.listenerCount("error") === 0) return false;
    return super.emit(event, ...args);
  }
}

/** BullMQ leaves a pool that it was given open. */
async function closeWithPool(closed: Promise<unknown>, pool: pg.Pool): Promise<void> {
  try {
    await closed;
  } finally {
    if (!pool.ending) await pool.end();
  }
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
