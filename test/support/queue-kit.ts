/**
 * Both backends of the queue behind a line that can be hurt, and a recorder of what ran. The same faults by the same
 * names: silent, cut, away, wiped.
 */
import { EventEmitter, once } from "node:events";
import { createPostgresQueue, migratePostgresQueue } from "../../src/adapters/queue/postgres-queue.ts";
import { createRedisQueue } from "../../src/adapters/queue/redis-queue.ts";
import type { Job, Queue } from "../../src/core/ports/queue.ts";
import { createTestDatabase } from "./database.ts";
import { SILENT, withAdmin } from "./database-clusters.ts";
import { type FaultProxy, startFaultProxy } from "./fault-proxy.ts";
import { startRedis } from "./redis.ts";
import { lacks } from "./servers.ts";

export interface QueueBackend {
  open(): Queue;
  /** For `queue-worker.ts`, which connects directly. */
  readonly workerArgument: string;
  readonly line: FaultProxy;
  /** Refuses connections and drops those that exist, until `comeBack`. */
  goAway(): Promise<void>;
  comeBack(): Promise<void>;
  /** Answers every request with an error, until `allowWork`: no right, wrong schema. */
  refuseWork(): Promise<void>;
  allowWork(): Promise<void>;
  /** Everything that stands in it is gone; it goes on working. */
  wipe(): Promise<void>;
  /** Everything that stands in it, as text. */
  dump(): Promise<string>;
  stop(): Promise<void>;
}

export const QUEUE_BACKENDS = [
  { name: "Redis", start: onRedis, missing: lacks("redis") },
  { name: "Postgres", start: onPostgres, missing: false },
];

async function onRedis(): Promise<QueueBackend> {
  const redis = await startRedis();
  const line = await startFaultProxy(Number(new URL(redis.url).port));
  return {
    open: () => createRedisQueue(`redis://127.0.0.1:${line.port}`, SILENT),
    workerArgument: JSON.stringify({ redisUrl: redis.url }),
    line,
    goAway: () => redis.kill(),
    comeBack: () => redis.restart(),
    refuseWork: () => redis.command("acl", "setuser", "default", "-eval", "-evalsha", "-bzpopmin"),
    allowWork: () => redis.command("acl", "setuser", "default", "+@all"),
    wipe: () => redis.flush(),
    dump: () => redis.dump(),
    stop: async () => {
      await line.stop();
      await redis.stop();
    },
  };
}

async function onPostgres(): Promise<QueueBackend> {
  const database = await createTestDatabase();
  await migratePostgresQueue(database.connection);
  const { host = "", port = 5432, database: name = "" } = database.connection;
  const line = await startFaultProxy(`${host}/.s.PGSQL.${port}`);
  const allow = (allowed: boolean) =>
    withAdmin(database.connection, async (client) => {
      await client.query(`alter database ${name} allow_connections ${allowed}`);
      if (allowed) return;
      await client.query("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [name]);
    });
  const tables = async (): Promise<readonly string[]> => {
    const { rows } = await database.pool.query<{ name: string }>(
      `select 'bullmq.' || quote_ident(tablename) as name from pg_tables
       where schemaname = 'bullmq' and tablename not like '%migration%'`,
    );
    return rows.map((row) => row.name);
  };
  return {
    open: () => createPostgresQueue({ ...database.connection, host: "127.0.0.1", port: line.port }, SILENT),
    workerArgument: JSON.stringify({ connection: database.connection }),
    line,
    goAway: () => allow(false),
    comeBack: () => allow(true),
    refuseWork: async () => void (await database.pool.query("alter schema bullmq rename to hidden")),
    allowWork: async () => void (await database.pool.query("alter schema hidden rename to bullmq")),
    wipe: async () => void (await database.pool.query(`truncate ${(await tables()).join(", ")} cascade`)),
    dump: async () => {
      const parts = (await tables()).map((table) => database.pool.query(`select * from ${table}`));
      return JSON.stringify((await Promise.all(parts)).map(({ rows }) => rows));
    },
    stop: async () => {
      await line.stop();
      await database.drop();
    },
  };
}

/** The one kind of work whose id may be any word. */
export const job = (id: string): Job => ({ name: "follow", id });

/** Counts runs, and lets a test hold a run open. */
export function recordRuns() {
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
      while (runs.length < count) await once(events, "run", { signal: AbortSignal.timeout(25_000) });
    },
    async saw(id: string): Promise<void> {
      while (!runs.includes(id)) await once(events, "run", { signal: AbortSignal.timeout(25_000) });
    },
    async ended(): Promise<void> {
      await once(events, "end", { signal: AbortSignal.timeout(25_000) });
    },
  };
}

/** Adds until it is accepted again; bounded. */
export async function untilAccepted(queue: Queue, added: Job): Promise<void> {
  const deadline = AbortSignal.timeout(25_000);
  while (!deadline.aborted) {
    try {
      return await queue.enqueue([added]);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  throw new Error("the queue did not come back");
}
