/**
 * One server from start to stop: starts it under its guard, waits until it answers, takes the owner's lock, and
 * starts it again when it dies without having been asked.
 */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { LockstepError } from "../../../core/errors.ts";
import type { Logger } from "../../../core/ports/logger.ts";
import { toStoreError } from "../errors.ts";
import type { StoreConnection } from "../pool.ts";
import type { Binaries } from "./binaries.ts";
import { clearWay, inUse } from "./clear-way.ts";
import { type Cluster, readPassword, USER } from "./cluster.ts";
import { type GuardedServer, spawnGuarded } from "./guard.ts";
import { lookAtServer, type OwnerLock, takeOwnerLock } from "./owner-lock.ts";
import type { RunAs } from "./run.ts";
import { SOCKET_PORT, serverArguments } from "./settings.ts";
import { makeSocketDirectory, removeSocketDirectory } from "./socket-directory.ts";

export interface Supervision {
  readonly directory: string;
  readonly runAs: RunAs;
  readonly binaries: Binaries;
  /** Makes the cluster when there is none. */
  readonly prepare: () => Promise<Cluster>;
  readonly logFile: number;
  readonly log: Logger;
}

export interface Supervised {
  readonly connection: StoreConnection;
  stop(): Promise<void>;
}

interface Running {
  readonly server: GuardedServer;
  /** Taken anew when a crash inside Postgres cuts all connections. */
  lock: OwnerLock;
}

const DATABASE = "lockstep";
/** Recovery after a kill reads at most `max_wal_size`; seconds, on a slow disk a minute. */
const READY_WITHIN_MS = 120_000;
const LOOK_EVERY_MS = 20;
const STOP_WITHIN_MS = 30_000;
const RESTART_BACKOFF_MS = [100, 500, 2_000, 10_000] as const;
/** Several Locksteps may start at once: each try ends with a server of ours, or with the sight of another's. */
const MAX_TRIES = 5;

export async function superviseServer(supervision: Supervision): Promise<Supervised> {
  const { directory, runAs, log } = supervision;
  const cluster = await supervision.prepare();
  const password = await readPassword(cluster);
  const socketDirectory = await makeSocketDirectory(directory, runAs);
  const connectionVia = (host: string): StoreConnection => ({
    host,
    port: SOCKET_PORT,
    user: USER,
    password,
    database: DATABASE,
    ssl: false,
  });
  const connection = connectionVia(socketDirectory);
  let stopping = false;

  const start = async (): Promise<Running> => {
    for (let tries = 1; tries <= MAX_TRIES; tries += 1) {
      await clearWay(cluster, socketDirectory, connectionVia, log);
      const server = spawnGuarded(
        runAs,
        [supervision.binaries.postgres, ...serverArguments(cluster.dataDirectory, socketDirectory)],
        supervision.logFile,
      );
      if (!(await answers(server, connection))) continue;
      const lock = await takeOwnerLock(connection);
      if (lock !== null) return { server, lock };
      // The server that answers is not ours: two started at once, and the other one was faster.
      server.interrupt();
      throw inUse(null);
    }
    throw new LockstepError("STORE_UNAVAILABLE", "Cannot start the embedded Postgres: it ended at once.", {
      hint: "See postgres.log in the data directory.",
      details: { directory },
    });
  };

  let running: Running;
  try {
    running = await start();
    await ensureDatabase(connection);
  } catch (error) {
    await removeSocketDirectory(socketDirectory);
    throw toStoreError(error, "start the embedded Postgres");
  }

  const watch = async (): Promise<void> => {
    for (;;) {
      await keepLock(running, connection, () => stopping);
      await running.server.ended;
      await running.lock.release();
      if (stopping) return;
      log.error("store.embedded.ended", { directory });
      const again = await startAgain();
      if (again === null) return;
      running = again;
      // Asked to stop while it was coming up.
      if (stopping) running.server.interrupt();
    }
  };
  const startAgain = async (): Promise<Running | null> => {
    for (let failures = 0; !stopping; failures += 1) {
      await delay(RESTART_BACKOFF_MS[failures] ?? RESTART_BACKOFF_MS[RESTART_BACKOFF_MS.length - 1]);
      if (stopping) break;
      try {
        const again = await start();
        log.info("store.embedded.restarted", { directory });
        return again;
      } catch (error) {
        log.error("store.embedded.restart-failed", { code: toStoreError(error).code });
      }
    }
    return null;
  };
  const watching = watch();

  return {
    connection,
    stop: async () => {
      stopping = true;
      await running.lock.release();
      running.server.interrupt();
      const inTime = await Promise.race([
        watching.then(() => true),
        delay(STOP_WITHIN_MS, false, { ref: false }),
      ]);
      if (!inTime) log.error("store.embedded.stop-timed-out", { directory });
      await removeSocketDirectory(socketDirectory);
    },
  };
}

/** Until the server ends, or we stop: without the lock another Lockstep would take the server for an orphan. */
async function keepLock(
  running: Running,
  connection: StoreConnection,
  stopping: () => boolean,
): Promise<void> {
  for (;;) {
    await Promise.race([running.server.ended, running.lock.lost]);
    if (running.server.hasEnded() || stopping()) return;
    const lock = await takeOwnerLock(connection).catch(() => null);
    if (lock !== null) running.lock = lock;
    else await delay(LOOK_EVERY_MS * 10);
  }
}

/** False when the server ended instead. */
async function answers(server: GuardedServer, connection: StoreConnection): Promise<boolean> {
  const deadline = performance.now() + READY_WITHIN_MS;
  while (!server.hasEnded()) {
    if ((await lookAtServer(connection)) !== "no-answer") return !server.hasEnded();
    if (performance.now() > deadline) {
      server.interrupt();
      throw new LockstepError(
        "STORE_UNAVAILABLE",
        "Cannot start the embedded Postgres: it does not answer.",
        {
          hint: "See postgres.log in the data directory.",
        },
      );
    }
    await delay(LOOK_EVERY_MS);
  }
  return false;
}

async function ensureDatabase(connection: StoreConnection): Promise<void> {
  const client = new pg.Client({ ...connection, database: "postgres" });
  client.on("error", () => undefined);
  try {
    await client.connect();
    const found = await client.query("select from pg_database where datname = $1", [DATABASE]);
    if (found.rowCount === 0) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end().catch(() => undefined);
  }
}
