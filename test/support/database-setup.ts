/**
 * Vitest's global setup: keeps the run's clusters, and starts one when a test file first asks for its kind over a
 * private socket. Runs without a database pay nothing.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestProject } from "vitest/node";
import { PREFIX, STORE_KINDS, startTestCluster, type TestCluster } from "./database-clusters.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Path of the socket that answers a store's kind with the connection of its cluster, in JSON. */
    readonly databaseSocket: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const clusters = new Map<string, Promise<TestCluster>>();
  const directory = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const socket = join(directory, "databases");

  const server = createServer((client) => {
    client.on("error", () => undefined);
    client.once("data", (data) => {
      const kind = STORE_KINDS.find((known) => known === data.toString("utf8").trim());
      if (kind === undefined) return client.end();
      const cluster = clusters.get(kind) ?? startTestCluster(kind);
      clusters.set(kind, cluster);
      cluster.then(
        ({ connection }) => client.end(JSON.stringify({ connection })),
        (error: unknown) => client.end(JSON.stringify({ error: String(error) })),
      );
      return undefined;
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  project.provide("databaseSocket", socket);

  return async () => {
    server.close();
    const started = await Promise.allSettled(clusters.values());
    await Promise.all(
      started.map((cluster) => (cluster.status === "fulfilled" ? cluster.value.stop() : undefined)),
    );
    await rm(directory, { recursive: true, force: true });
  };
}
