/**
 * Which Lockstep process a running embedded Postgres belongs to: the one that holds an advisory lock in it for as
 * long as it lives. Unlike a pid in a file this cannot be stale, and it holds between containers that share a volume.
 */
import pg from "pg";
import type { StoreConnection } from "../pool.ts";

/** Any fixed number, other than the migrator's. */
const LOCK_KEY = 742_001;
const CONNECT_TIMEOUT_MS = 2_000;

export type Seen =
  /** Nothing answers, or it is still starting or already stopping. */
  | "no-answer"
  /** It answers, and no process holds it: its owner is gone, or has just started it. */
  | "unowned"
  | "owned";

/** Connects and lets go again; never throws. */
export async function lookAtServer(connection: StoreConnection): Promise<Seen> {
  const client = newClient(connection);
  try {
    await client.connect();
    const result = await client.query(
      "select from pg_locks where locktype = 'advisory' and classid = 0 and objid = $1 and granted",
      [LOCK_KEY],
    );
    return result.rowCount === 0 ? "unowned" : "owned";
  } catch {
    return "no-answer";
  } finally {
    await client.end().catch(() => undefined);
  }
}

export interface OwnerLock {
  /** Resolves when the connection, and with it the lock, is gone; also after `release`. */
  readonly lost: Promise<void>;
  release(): Promise<void>;
}

/** Null when another process holds it. Throws pg's error when the server cannot be reached. */
export async function takeOwnerLock(connection: StoreConnection): Promise<OwnerLock | null> {
  const client = newClient(connection);
  const lost = new Promise<void>((resolve) => client.once("end", () => resolve()));
  try {
    await client.connect();
    const result = await client.query<{ locked: boolean }>("select pg_try_advisory_lock($1) as locked", [
      LOCK_KEY,
    ]);
    if (result.rows[0]?.locked === true) {
      return { lost, release: () => client.end().catch(() => undefined) };
    }
  } catch (error) {
    await client.end().catch(() => undefined);
    throw error;
  }
  await client.end().catch(() => undefined);
  return null;
}

function newClient(connection: StoreConnection): pg.Client {
  const client = new pg.Client({
    ...connection,
    database: "postgres",
    application_name: "lockstep owner",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    query_timeout: CONNECT_TIMEOUT_MS,
  });
  // The end of the server is told by its guard.
  client.on("error", () => undefined);
  return client;
}
