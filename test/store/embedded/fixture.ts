/** What the suites of the embedded Postgres share: a directory for each test, and nothing left of it afterwards. */
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { afterEach, beforeEach } from "vitest";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../../src/adapters/store/embedded/start.ts";
import type { StoreConnection } from "../../../src/adapters/store/pool.ts";
import { SILENT } from "../../support/database-clusters.ts";
import { type Child, processesOf, startChild, until } from "./children.ts";

export const isLinux = process.platform === "linux";

/** `directory` lies in `base`, which only its owner may enter. */
export const place = { base: "", directory: "" };
const running: (EmbeddedPostgres | Child)[] = [];

beforeEach(async () => {
  place.base = await mkdtemp(join(tmpdir(), "lockstep-embedded-"));
  place.directory = join(place.base, "pg");
});

afterEach(async () => {
  for (const each of running.splice(0)) await ("stop" in each ? each.stop() : each.kill());
  if (isLinux) await until("everything has ended", async () => (await processesOf(place.base)).length === 0);
  await rm(place.base, { recursive: true, force: true });
});

export const start = async (
  options: Partial<Parameters<typeof startEmbeddedPostgres>[0]> = {},
): Promise<EmbeddedPostgres> => {
  const embedded = await startEmbeddedPostgres({ directory: place.directory, log: SILENT, ...options });
  running.push(embedded);
  return embedded;
};
export const child = async (uid?: number): Promise<Child> => {
  const started = await startChild(place.directory, uid);
  running.push(started);
  return started;
};
export const query = async (connection: StoreConnection, text: string): Promise<unknown[]> => {
  const client = new pg.Client({ ...connection });
  client.on("error", () => undefined);
  try {
    await client.connect();
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
};
export const pidFile = (): string => join(place.directory, "cluster", "data", "postmaster.pid");
export const postmaster = async (): Promise<number> => Number.parseInt(await readFile(pidFile(), "utf8"), 10);
export const modeOf = async (path: string): Promise<number> => (await stat(path)).mode & 0o777;
