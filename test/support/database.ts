/**
 * A database for a test file: cloned from the migrated template of the run's cluster, dropped at the end.
 *
 *     describeOnEachStore("secrets", (getDatabase) => {
 *       test("…", async () => { const { store } = getDatabase(); … });
 *     });
 */
import { randomBytes } from "node:crypto";
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import type { Kysely } from "kysely";
import type pg from "pg";
import { afterAll, beforeAll, describe, inject } from "vitest";
import { createDatabase, createPool, type StoreConnection } from "../../src/adapters/store/pool.ts";
import type { Database } from "../../src/adapters/store/schema/schema.ts";
import { createStore } from "../../src/adapters/store/store.ts";
import type { Store } from "../../src/core/store/store.ts";
import { SILENT, STORE_KINDS, type StoreKind, TEMPLATE, withAdmin } from "./database-clusters.ts";
import { lacks } from "./servers.ts";

export interface TestDatabase {
  readonly kind: StoreKind;
  /** For pools of one's own, the migrator and the queue. A superuser's. */
  readonly connection: StoreConnection;
  readonly pool: pg.Pool;
  /** For looking behind the store's back. */
  readonly db: Kysely<Database>;
  readonly store: Store;
  /** A further pool on the same database, as another process would have; ended with the database. */
  openPool(): pg.Pool;
  drop(): Promise<void>;
}

/** Runs the suite on the embedded store and on the machine's own Postgres; each with a database of its own. */
export function describeOnEachStore(name: string, suite: (getDatabase: () => TestDatabase) => void): void {
  for (const kind of STORE_KINDS) {
    describe.skipIf(kind === "postgres" && lacks("postgres"))(`${name}, on ${kind}`, () => {
      suite(useDatabase(kind));
    });
  }
}

/**
 * For suites above the store's own: on one of the kinds, which the name decides, so that each carries half of them. Where
 * there is only one, on that.
 */
export function describeOnAStore(name: string, suite: (getDatabase: () => TestDatabase) => void): void {
  const sum = [...name].reduce((all, letter) => all + (letter.codePointAt(0) ?? 0), 0);
  const chosen = STORE_KINDS[sum % STORE_KINDS.length] ?? "embedded";
  const kind = chosen === "postgres" && lacks("postgres") ? "embedded" : chosen;
  describe(`${name}, on ${kind}`, () => {
    suite(useDatabase(kind));
  });
}

/** For suites that one kind of store serves well enough: makes the database before all tests, drops it after them. */
export function useDatabase(kind: StoreKind = "embedded"): () => TestDatabase {
  let database: TestDatabase | null = null;
  beforeAll(async () => {
    database = await createTestDatabase(kind);
  });
  afterAll(async () => {
    await database?.drop();
  });
  return () => {
    if (database === null) throw new Error("the database exists inside tests and hooks only");
    return database;
  };
}

/** Throws when nobody does within ten seconds. */
export async function somebodyWaitsForLock({ pool }: TestDatabase): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    const { rowCount } = await pool.query("select from pg_locks where not granted");
    if ((rowCount ?? 0) > 0) return;
    if (performance.now() > deadline) throw new Error("nobody waited for the lock");
    await delay(5);
  }
}

/** `migrated: false` gives an empty database. Whoever calls drops it. */
export async function createTestDatabase(
  kind: StoreKind = "embedded",
  options: { readonly migrated?: boolean } = {},
): Promise<TestDatabase> {
  const { migrated = true } = options;
  const cluster = await askForCluster(kind);
  const database = `test_${randomBytes(6).toString("hex")}`;
  await withAdmin(cluster, (client) =>
    client.query(`create database ${database} template ${migrated ? TEMPLATE : "template0"}`),
  );
  const connection = { ...cluster, database };
  const pools: pg.Pool[] = [];
  const openPool = (): pg.Pool => {
    const pool = createPool(connection, SILENT, { maxConnections: 5 });
    pools.push(pool);
    return pool;
  };
  const pool = openPool();
  return {
    kind,
    connection,
    pool,
    db: createDatabase(pool),
    store: createStore(pool),
    openPool,
    drop: async () => {
      await Promise.all(pools.map((each) => (each.ending ? undefined : each.end())));
      await withAdmin(cluster, (client) => client.query(`drop database ${database} with (force)`));
    },
  };
}

async function askForCluster(kind: StoreKind): Promise<StoreConnection> {
  const socket = connect(inject("databaseSocket"));
  socket.write(`${kind}\n`);
  const answer: unknown = JSON.parse(await text(socket));
  if (typeof answer === "object" && answer !== null && "connection" in answer) {
    return answer.connection as StoreConnection;
  }
  throw new Error(`no ${kind} cluster: ${JSON.stringify(answer)}`);
}
