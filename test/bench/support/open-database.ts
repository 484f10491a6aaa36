/** Migrated stores on an embedded Postgres of the bench's own. */
import { createDatabase, createPool } from "../../../src/adapters/store/pool.ts";
import { createStore } from "../../../src/adapters/store/store.ts";
import type { TestDatabase } from "../../support/database.ts";
import { SILENT, startTestCluster, TEMPLATE, withAdmin } from "../../support/database-clusters.ts";
import type { BenchOptions } from "./bench.ts";

/**
 * A cluster on which each name gets a migrated store. Its commits do not wait for the disk: what a bench writes dated back
 * took a year.
 */
export async function startCluster(
  cleanUp: BenchOptions["cleanUp"],
): Promise<(name: string) => Promise<TestDatabase>> {
  const cluster = await startTestCluster("embedded");
  cleanUp(() => cluster.stop());
  return async (name) => {
    const connection = { ...cluster.connection, database: name };
    await withAdmin(cluster.connection, async (client) => {
      await client.query(`create database ${name} template ${TEMPLATE}`);
      await client.query(`alter database ${name} set synchronous_commit = off`);
    });
    const pool = createPool(connection, SILENT, { maxConnections: 5 });
    cleanUp(() => pool.end());
    return {
      kind: "embedded",
      connection,
      pool,
      db: createDatabase(pool),
      store: createStore(pool),
      openPool: () => pool,
      drop: async () => {},
    };
  };
}
