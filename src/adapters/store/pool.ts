/**
 * The connections of one process.
 *
 * Promises: a restarted or lost Postgres never ends the process; bigint arrives as a number or not at all; a
 * statement that hangs, or a peer that is silent, is given up after a bounded time.
 */
import type { ConnectionOptions } from "node:tls";
import { Kysely } from "kysely";
import pg from "pg";
import { LockstepError } from "../../core/errors.ts";
import type { Logger } from "../../core/ports/logger.ts";
import { CheckedPostgresDialect } from "./dialect.ts";
import { toStoreError } from "./errors.ts";
import type { Database } from "./schema/schema.ts";

/** Where the store is, as node-postgres takes it. What is left out, that takes from libpq's variables. */
export interface StoreConnection {
  /** A name, an address, or the directory of a unix socket. */
  readonly host?: string;
  readonly port?: number;
  readonly user?: string;
  readonly password?: string;
  readonly database?: string;
  readonly ssl?: false | ConnectionOptions;
  readonly sslnegotiation?: "direct";
  readonly enableChannelBinding?: boolean;
  /** What a session begins with in addition to our own settings, `search_path` included. */
  readonly options?: string;
  readonly application_name?: string;
  readonly connectionTimeoutMillis?: number;
  /** Where everything of ours stands, which `options` say too; otherwise what the user's search_path gives. */
  readonly schema?: string;
}

export interface PoolSettings {
  /** Connections at most. Default 10; the queue's Postgres backend has a pool of its own. */
  readonly maxConnections?: number;
  /** A statement is cancelled by Postgres after this time. Default 30,000. */
  readonly statementTimeoutMs?: number;
}

const CONNECT_TIMEOUT_MS = 10_000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** Beyond the statement's timeout Postgres itself must be silent (half-open connection): then the client gives up. */
const SILENCE_MS = 5_000;
/** A forgotten transaction would hold row locks, and so targets, for ever. */
const IDLE_IN_TRANSACTION_MS = 60_000;

const INT8 = pg.types.builtins.INT8;

export function createPool(connection: StoreConnection, log: Logger, settings: PoolSettings = {}): pg.Pool {
  const { maxConnections = 10 } = settings;
  const pool = new pg.Pool({
    ...clientConfig(connection, settings),
    max: maxConnections,
    types: { getTypeParser },
  });
  // Without a listener an idle connection's end is an unhandled "error" event. The pool drops the connection itself.
  pool.on("error", (error) =>
    log.warn("store.connection-lost", { code: toStoreError(error).details["code"] }),
  );
  // The pool's listener is off while a connection is in use; the query in progress fails too and tells the story.
  pool.on("connect", (client) => client.on("error", () => undefined));
  return pool;
}

/** How busy it is: connections that are open, of those the idle ones, and statements that wait for one. */
export function poolLevels({ totalCount, idleCount, waitingCount, options }: pg.Pool): {
  readonly total: number;
  readonly idle: number;
  readonly waiting: number;
  readonly most: number;
} {
  return { total: totalCount, idle: idleCount, waiting: waitingCount, most: options.max };
}

/** What every connection for statements begins with. */
export function clientConfig(
  connection: StoreConnection,
  { statementTimeoutMs = STATEMENT_TIMEOUT_MS }: PoolSettings = {},
): pg.ClientConfig {
  return {
    application_name: "lockstep",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    ...connection,
    idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_MS,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + SILENCE_MS,
    keepAlive: true,
  };
}

export function createDatabase(pool: pg.Pool): Kysely<Database> {
  return new Kysely<Database>({ dialect: new CheckedPostgresDialect({ pool }) });
}

function getTypeParser(oid: number, format?: "text" | "binary"): (text: string) => unknown {
  if (oid === INT8 && format !== "binary") return parseBigint;
  const parse: (text: string) => unknown = pg.types.getTypeParser(oid, format === "binary" ? "text" : format);
  return parse;
}

/** Generations and ids stay far below 2^53; beyond it a number would silently be another one. */
export function parseBigint(text: string): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) {
    throw new LockstepError("INTERNAL", "A number in the store is too large to be represented exactly.");
  }
  return value;
}
