/**
 * One cluster of each kind per test run, started when the first suite asks. The clusters live in the run's main
 * process (`database-setup.ts`); however that process ends, the guard interrupts the servers, and a directory that a
 * kill left behind is swept by the next run.
 */
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, open, readdir, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { spawnGuarded } from "../../src/adapters/store/embedded/guard.ts";
import { runProgram } from "../../src/adapters/store/embedded/run.ts";
import { chooseRunAs } from "../../src/adapters/store/embedded/run-as.ts";
import { startEmbeddedPostgres } from "../../src/adapters/store/embedded/start.ts";
import { migrate } from "../../src/adapters/store/migrator.ts";
import type { StoreConnection } from "../../src/adapters/store/pool.ts";
import type { Logger } from "../../src/core/ports/logger.ts";
import { findServer } from "./servers.ts";

export const STORE_KINDS = ["embedded", "postgres"] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

export interface TestCluster {
  /** As a superuser, to the database `postgres`. */
  readonly connection: StoreConnection;
  stop(): Promise<void>;
}

/** A migrated database that nobody connects to. */
export const TEMPLATE = "template_lockstep";

export const SILENT: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Followed by the pid of the run; what is named like this goes when that run is over. */
export const PREFIX = "lockstep-test-pg-";

/** With a migrated template; its directory goes with `stop`. `settings`: of the machine's own Postgres, besides a test's. */
export async function startTestCluster(
  kind: StoreKind,
  settings: Readonly<Record<string, string>> = {},
): Promise<TestCluster> {
  await sweep();
  const directory = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const cluster = kind === "embedded" ? await startEmbedded(directory) : await startReal(directory, settings);
  const stop = async (): Promise<void> => {
    await cluster.stop();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    await withAdmin(cluster.connection, (client) => client.query(`create database ${TEMPLATE}`));
    await migrate({ ...cluster.connection, database: TEMPLATE }, SILENT);
  } catch (error) {
    await stop();
    throw error;
  }
  return { connection: cluster.connection, stop };
}

export async function withAdmin<T>(
  connection: StoreConnection,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({ ...connection, database: "postgres" });
  client.on("error", () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

async function startEmbedded(directory: string): Promise<TestCluster> {
  const embedded = await startEmbeddedPostgres({ directory: join(directory, "embedded"), log: SILENT });
  return { connection: { ...embedded.connection, database: "postgres" }, stop: embedded.stop };
}

/** The machine's own Postgres, on a fresh cluster, not as root. */
async function startReal(directory: string, more: Readonly<Record<string, string>>): Promise<TestCluster> {
  const found = findServer("postgres");
  if (found === null) throw new Error("postgres was not found on this machine");
  const programs = dirname(await realpath(found));
  const runAs = await chooseRunAs(directory);
  const data = join(directory, "data");
  const passwordFile = join(directory, "password");
  const password = randomBytes(16).toString("hex");
  await writeFile(passwordFile, `${password}\n`, { mode: 0o644 });
  await mkdir(join(directory, "socket"), { mode: 0o777 });
  const log = await open(join(directory, "postgres.log"), "a");
  const initdb = [
    join(programs, "initdb"),
    ...["-D", data, "-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync"],
    `--pwfile=${passwordFile}`,
  ];
  if ((await runProgram(runAs, initdb, log.fd)) !== 0) throw new Error("initdb of the real Postgres failed");
  const host = runAs.kind === "nobody" ? directory : join(directory, "socket");
  const settings = {
    listen_addresses: "",
    fsync: "off",
    unix_socket_directories: host,
    max_connections: "200",
    ...more,
  };
  const server = spawnGuarded(
    runAs,
    [
      join(programs, "postgres"),
      "-D",
      data,
      ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    ],
    log.fd,
  );
  const connection: StoreConnection = {
    host,
    port: 5432,
    user: "postgres",
    password,
    database: "postgres",
    ssl: false,
  };
  const stop = async (): Promise<void> => {
    server.interrupt();
    await server.ended;
    await log.close();
  };
  const deadline = performance.now() + 30_000;
  while (!(await isReady(connection))) {
    if (server.hasEnded() || performance.now() > deadline) {
      await stop();
      throw new Error("the real Postgres did not start");
    }
    await delay(20);
  }
  return { connection, stop };
}

async function isReady(connection: StoreConnection): Promise<boolean> {
  return withAdmin(connection, (client) => client.query("select 1")).then(
    () => true,
    () => false,
  );
}

/** Directories of runs that were killed. */
async function sweep(): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const pid = Number(new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1] ?? Number.NaN);
    if (Number.isNaN(pid) || isAlive(pid)) continue;
    await rm(join(tmpdir(), name), { recursive: true, force: true });
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** As DATABASE_URL. */
export function databaseUrl({
  host = "",
  port = 5432,
  user = "",
  password = "",
  database = "",
}: StoreConnection): string {
  const url = new URL(`postgres://localhost:${port}/${database}`);
  url.username = encodeURIComponent(user);
  url.password = encodeURIComponent(password);
  url.searchParams.set("host", host);
  return url.href;
}
