/**
 * A real PostgreSQL with a streaming standby, on sockets of a private directory: what a failover loses, and what a person
 * promotes. Needs the server's programs (`lacks("postgres")`).
 */
import { mkdir, mkdtemp, open, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { spawnGuarded } from "../../src/adapters/store/embedded/guard.ts";
import { runProgram } from "../../src/adapters/store/embedded/run.ts";
import { chooseRunAs } from "../../src/adapters/store/embedded/run-as.ts";
import type { StoreConnection } from "../../src/adapters/store/pool.ts";
import { PREFIX, withAdmin } from "../support/database-clusters.ts";
import { findServer } from "../support/servers.ts";

export interface Pair {
  readonly primary: StoreConnection;
  readonly standby: StoreConnection;
  /** Until the standby has everything that was committed. */
  caughtUp(): Promise<void>;
  /** From now on what is committed does not reach the standby. */
  cut(): Promise<void>;
  /** The primary is gone, and the standby takes its place. */
  failOver(): Promise<void>;
  stop(): Promise<void>;
}

const BOTH = { listen_addresses: "", fsync: "off", wal_level: "replica", max_connections: "50" };

export async function startPair(): Promise<Pair> {
  const directory = await mkdtemp(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const programs = dirname(await realpath(findServer("postgres") ?? "postgres"));
  const runAs = await chooseRunAs(directory);
  const log = await open(join(directory, "postgres.log"), "a");
  const socket = runAs.kind === "nobody" ? directory : join(directory, "socket");
  if (socket !== directory) await mkdir(socket, { mode: 0o777 });
  const at = (port: number): StoreConnection => ({
    host: socket,
    port,
    user: "postgres",
    database: "postgres",
    ssl: false,
  });
  const [primary, standby] = [at(5432), at(5433)];
  const run = async (program: string, ...words: readonly string[]): Promise<void> => {
    const code = await runProgram(runAs, [join(programs, program), ...words], log.fd);
    if (code !== 0) throw new Error(`${program} ended with ${code}`);
  };
  const start = async (data: string, connection: StoreConnection) => {
    const settings = { ...BOTH, unix_socket_directories: socket, port: String(connection.port) };
    const words = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
    const server = spawnGuarded(runAs, [join(programs, "postgres"), "-D", data, ...words], log.fd);
    await until("it starts", async () => {
      if (server.hasEnded()) throw new Error("postgres ended");
      return await one(connection, "select true").catch(() => false);
    });
    return server;
  };
  const [data, copy] = [join(directory, "data"), join(directory, "copy")];
  // Only this user reaches the sockets: the directory is private.
  await run("initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync");
  const first = await start(data, primary);
  await run(
    "pg_basebackup",
    ...["-h", socket, "-p", "5432", "-U", "postgres", "-D", copy, "-R", "--no-sync", "-c", "fast"],
  );
  const second = await start(copy, standby);
  return {
    primary,
    standby,
    async caughtUp() {
      const lsn = await one(primary, "select pg_current_wal_lsn()::text");
      await until("the standby has it", () =>
        one(standby, `select pg_last_wal_replay_lsn() >= '${lsn}'::pg_lsn`),
      );
    },
    async cut() {
      await one(standby, "alter system set primary_conninfo = ''");
      await one(standby, "select pg_reload_conf()");
      await until("the line is cut", () =>
        one(standby, "select not exists (select from pg_stat_wal_receiver)"),
      );
    },
    async failOver() {
      first.interrupt();
      await first.ended;
      await one(standby, "select pg_promote(true)");
      await until("it is promoted", () => one(standby, "select not pg_is_in_recovery()"));
    },
    async stop() {
      for (const server of [second, first]) {
        server.interrupt();
        await server.ended;
      }
      await log.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** The first column of the first row. */
async function one(connection: StoreConnection, query: string): Promise<unknown> {
  const { rows } = await withAdmin(connection, (client) => client.query({ text: query, rowMode: "array" }));
  return rows[0]?.[0];
}

async function until(what: string, holds: () => Promise<unknown>): Promise<void> {
  const deadline = performance.now() + 30_000;
  while ((await holds()) !== true) {
    if (performance.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await delay(20);
  }
}
