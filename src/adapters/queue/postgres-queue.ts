/** BullMQ on its Postgres backend, in a schema of its own beside the store. For installations without Redis. */
import { createPostgresBackend, runMigrations, withBackend } from "bullmq";
import pg from "pg";
import { LockstepError } from "../../core/errors.ts";
import type { Logger } from "../../core/ports/logger.ts";
import type { Queue } from "../../core/ports/queue.ts";
import { type BullProducer, createBullQueue } from "./bull-queue.ts";
import { POSTGRES_SCHEMA, queueName, WORKER_OPTIONS } from "./job-options.ts";

export interface PostgresQueueConnection {
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly ssl?: pg.ClientConfig["ssl"];
  readonly options?: string;
  readonly application_name?: string;
  readonly connectionTimeoutMillis?: number;
  /** Of a store that has one of its own: then its queue has a name of its own in BullMQ's schema. */
  readonly schema?: string;
}

const MIGRATOR_CONNECT_MS = 10_000;
const MAX_PRODUCER_CONNECTIONS = 2;
/** One of them listens. */
const MAX_WORKER_CONNECTIONS = 5;
/** BullMQ's own statements take milliseconds; it waits for work by LISTEN, not by a query. */
const QUERY_TIMEOUT_MS = 15_000;

/** Creates or upgrades BullMQ's own schema; safe for many processes at once. */
export async function migratePostgresQueue(connection: PostgresQueueConnection): Promise<void> {
  const client = new pg.Client({ connectionTimeoutMillis: MIGRATOR_CONNECT_MS, ...connection });
  // The query in progress fails and tells; without a listener the event would end the process.
  client.on("error", () => undefined);
  try {
    await client.connect();
    await runMigrations(client, POSTGRES_SCHEMA);
  } catch (error) {
    throw toQueueError(error);
  } finally {
    await client.end().catch(() => undefined);
  }
}

function toQueueError(error: unknown): LockstepError {
  const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : "";
  if (code === "42501") {
    return new LockstepError(
      "QUEUE_UNAVAILABLE",
      "Cannot migrate the queue: Postgres gives no right to it (42501).",
      {
        hint: `Let the user of DATABASE_URL own the schema ${POSTGRES_SCHEMA} (or GRANT CREATE ON DATABASE), or keep the queue in Redis with REDIS_URL.`,
      },
    );
  }
  const state = /^[A-Z0-9_]{2,40}$/.test(code) ? `Postgres refused it (${code})` : "Postgres does not do it";
  return new LockstepError("QUEUE_UNAVAILABLE", `Cannot migrate the queue: ${state}.`, {
    hint: `Check that it is Postgres 15 or newer, and that nothing else has changed its schema ${POSTGRES_SCHEMA}.`,
  });
}

export function createPostgresQueue(connection: PostgresQueueConnection, log: Logger): Queue {
  const { Queue: Producer, Worker } = withBackend(createPostgresBackend);
  const name = queueName(connection.schema);
  return createBullQueue(
    {
      createProducer: () =>
        replacedUntilProven(() => {
          const pool = createPool(connection, MAX_PRODUCER_CONNECTIONS);
          const producer = new Producer(name, { connection: pool });
          return {
            addBulk: (jobs) => producer.addBulk(jobs),
            on: (event, listener) => producer.on(event, listener),
            close: () => closeWithPool(producer.close(), pool),
          };
        }),
      createConsumer: (processor, concurrency) => {
        const pool = createPool(connection, MAX_WORKER_CONNECTIONS);
        const worker = new Worker(name, processor, {
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
      // The store tells what is wrong with Postgres.
      explain: () => null,
      close: async () => {},
    },
    log,
  );
}

/** BullMQ takes a pool where its types ask for the options of one. */
type PoolAsOptions = pg.Pool & Record<string, unknown>;

function createPool(connection: PostgresQueueConnection, max: number): PoolAsOptions {
  return new pg.Pool({
    application_name: "lockstep-queue",
    connectionTimeoutMillis: 5_000,
    ...connection,
    Client: UncrashableClient,
    max,
    // BullMQ's statements name its tables without their schema. Of two that are said, Postgres takes the last.
    options: `${connection.options ?? ""} -c search_path=${POSTGRES_SCHEMA}`,
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
