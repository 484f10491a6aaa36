/** An empty store of its own for one bench, and the settings by which Lockstep's processes find it. */
import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { migratePostgresQueue } from "../../../src/adapters/queue/postgres-queue.ts";
import { databaseUrl, startTestCluster, TEMPLATE, withAdmin } from "../../support/database-clusters.ts";
import type { BenchOptions } from "./bench.ts";

export async function createBenchStore({
  cleanUp,
}: Pick<BenchOptions, "cleanUp">): Promise<Readonly<Record<string, string>>> {
  const cluster = await startTestCluster("embedded");
  cleanUp(() => cluster.stop());
  const database = `bench_${randomUUID().replaceAll("-", "")}`;
  const connection = { ...cluster.connection, database };
  await withAdmin(cluster.connection, (client) =>
    client.query(`create database ${database} template ${TEMPLATE}`),
  );
  await migratePostgresQueue(connection);
  const data = await mkdtemp(join(tmpdir(), "lockstep-bench-"));
  cleanUp(() => rm(data, { recursive: true, force: true }));
  return { LOCKSTEP_DATA: data, DATABASE_URL: databaseUrl(connection), LOCKSTEP_LOG_LEVEL: "error" };
}
