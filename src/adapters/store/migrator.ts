/**
 * Brings a store to this release's schema: numbered plain SQL files, each in a transaction of its own together with
 * its record.
 *
 * Promises: any number of processes may migrate at once and each file runs exactly once (transaction-scoped advisory
 * lock, so it also holds behind a connection pooler); a file that changed after it ran, a gap, or a schema newer than
 * the files is refused with STORE_SCHEMA and nothing is touched. A newer one whose release left word that it serves this
 * program too is worked on, and left as it is.
 */
import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { LockstepError } from "../../core/errors.ts";
import type { Logger } from "../../core/ports/logger.ts";
import { codeOf, toStoreError } from "./errors.ts";
import { loadMigrations, type Migration, tablesOf } from "./migration-files.ts";
import type { StoreConnection } from "./pool.ts";
import { grantRuntimeRole } from "./runtime-role.ts";
import { OLDEST_SCHEMA, SERVES_SCHEMA } from "./schema/schema.ts";

/** Any fixed number; every Lockstep must use the same. Spells "lockstep" in ASCII. */
const ADVISORY_LOCK = "7813573191660758384";
/**
 * How long the first locks are waited for: whoever comes meanwhile queues behind. Shorter than Postgres's deadlock_timeout
 * (1 s), so that in a circle it is the migration that gives way, and not somebody's work.
 */
const FIRST_LOCKS_TIMEOUT = "200ms";
/** And those that a file comes to later. */
const LOCK_TIMEOUT = "2s";
/** A file that gave way begins again, until its turn comes. */
const GIVES_WAY_FOR_MS = 120_000;
const AGAIN_AFTER_MS = { least: 100, most: 1_000 } as const;
/** lock_not_available, deadlock_detected: nothing of the file is done. */
const GAVE_WAY = new Set(["55P03", "40P01"]);

interface Applied {
  readonly version: number;
  readonly name: string;
  readonly checksum: string;
  /** SERVES_SCHEMA of the release that migrated to here; null: it left no word, or is older than that. */
  readonly serves: number | null;
}

export interface MigrationOutcome {
  /** The schema's version now. */
  readonly version: number;
  /** How many files this call ran. */
  readonly applied: number;
}

/** Throws STORE_SCHEMA, STORE_UNAVAILABLE, or INTERNAL with the file's name when a file fails. */
export async function migrate(
  connection: StoreConnection,
  log: Logger,
  migrations: readonly Migration[] = loadMigrations(),
): Promise<MigrationOutcome> {
  return withClient(connection, async (client) => {
    if (connection.schema !== undefined) await ensureSchema(client, connection.schema);
    let applied = 0;
    for (;;) {
      const done = await migrateWhenPossible(client, migrations, log);
      if (done === null) return { version: migrations.at(-1)?.version ?? 0, applied };
      applied += 1;
      log.info("store.migrated", { migration: done.name });
    }
  });
}

/** Looked for first: who has the schema already needs no right to make one. */
async function ensureSchema(client: pg.Client, schema: string): Promise<void> {
  const known = await client.query("select from pg_namespace where nspname = $1", [schema]);
  if (known.rowCount !== 0) return;
  try {
    await client.query(`create schema if not exists ${pg.escapeIdentifier(schema)}`);
  } catch (error) {
    if (codeOf(error) !== "42501") throw toStoreError(error, "make the store's schema");
    throw new LockstepError(
      "STORE_SCHEMA",
      `Cannot make the schema "${schema}": Postgres gives no right to it.`,
      {
        hint: `As its owner: CREATE SCHEMA ${schema} AUTHORIZATION the user of DATABASE_URL.`,
      },
    );
  }
}

/** For processes that must not migrate: throws STORE_SCHEMA unless the schema is one that this release works on. */
export async function assertSchema(
  connection: StoreConnection,
  migrations: readonly Migration[] = loadMigrations(),
): Promise<void> {
  await withClient(connection, async (client) => {
    const exists = await client.query<{ found: boolean }>(
      "select to_regclass('schema_migration') is not null as found",
    );
    const applied = exists.rows[0]?.found === true ? await listApplied(client) : [];
    assertKnown(applied, migrations);
    if (applied.length < OLDEST_SCHEMA) {
      throw new LockstepError(
        "STORE_SCHEMA",
        `Cannot use the store: its schema is ${applied.length}, and this release needs at least ${OLDEST_SCHEMA}.`,
        { details: { found: applied.length, oldest: OLDEST_SCHEMA } },
      );
    }
  });
}

/** Begins anew where others hold what a file needs: they go on meanwhile. */
async function migrateWhenPossible(
  client: pg.Client,
  migrations: readonly Migration[],
  log: Logger,
): Promise<Migration | null> {
  const deadline = performance.now() + GIVES_WAY_FOR_MS;
  for (let afterMs: number = AGAIN_AFTER_MS.least; ; afterMs = Math.min(2 * afterMs, AGAIN_AFTER_MS.most)) {
    try {
      return await migrateOne(client, migrations);
    } catch (error) {
      if (!(error instanceof GivesWay)) throw error;
      if (performance.now() > deadline) throw keptOut(error.migration);
      log.debug("store.migration-gave-way", { migration: error.migration.name });
      // Whoever waits behind it gets a turn.
      await delay(afterMs);
    }
  }
}

class GivesWay extends Error {
  readonly migration: Migration;
  constructor(migration: Migration) {
    super(`${migration.name} gave way`);
    this.migration = migration;
  }
}

function keptOut({ name }: Migration): LockstepError {
  return new LockstepError(
    "STORE_TIMEOUT",
    `Cannot run the migration ${name}: for ${GIVES_WAY_FOR_MS / 1_000} s others held the tables that it changes.`,
    {
      hint: "Nothing was changed. End long transactions (`select * from pg_stat_activity where xact_start < now() - interval '1 minute'`) or stop the workers, and run `lockstep migrate` again.",
    },
  );
}

/** Null when nothing is left to do: then the runtime role's rights are as they should be, too. */
async function migrateOne(client: pg.Client, migrations: readonly Migration[]): Promise<Migration | null> {
  let running: Migration | null = null;
  await client.query("begin");
  try {
    await client.query("select pg_advisory_xact_lock($1)", [ADVISORY_LOCK]);
    await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    await client.query(
      `create table if not exists schema_migration (
         version integer primary key,
         name text not null,
         checksum text not null,
         applied_at timestamptz not null default now()
       )`,
    );
    const applied = await listApplied(client);
    assertKnown(applied, migrations);
    running = migrations[applied.length] ?? null;
    if (running === null) {
      if (applied.length === migrations.length) await leaveWord(client, migrations.length);
      await grantRuntimeRole(client, tablesOf(migrations));
    } else {
      await runMigration(client, running);
    }
    await client.query("commit");
    return running;
  } catch (error) {
    await client.query("rollback").catch(() => undefined);
    if (running !== null && GAVE_WAY.has(codeOf(error) ?? "")) throw new GivesWay(running);
    if (isNameTaken(error, running)) throw nameTaken(running);
    throw toStoreError(error, running === null ? "migrate the store" : `run the migration ${running.name}`);
  }
}

/** duplicate_table, duplicate_object, duplicate_function; or a table of the migrator's own name has other columns. */
function isNameTaken(error: unknown, running: Migration | null): boolean {
  const code = codeOf(error);
  return running === null ? code === "42703" : ["42P07", "42710", "42723"].includes(code);
}

function nameTaken(running: Migration | null): LockstepError {
  const what = running === null ? "look at the store's schema" : `run the migration ${running.name}`;
  return new LockstepError(
    "STORE_SCHEMA",
    `Cannot ${what}: something else in this schema of Postgres has a name that Lockstep needs.`,
    { hint: "Give Lockstep a schema of its own: LOCKSTEP_DATABASE_SCHEMA=lockstep. Nothing was changed." },
  );
}

async function runMigration(
  client: pg.Client,
  { version, name, checksum, sql, gentler, locksFirst }: Migration,
): Promise<void> {
  if (locksFirst.length > 0) {
    const tables = locksFirst.map((table) => pg.escapeIdentifier(table)).join(", ");
    await client.query(`set local lock_timeout = '${FIRST_LOCKS_TIMEOUT}'`);
    await client.query(`lock table ${tables} in access exclusive mode`);
    await client.query(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
  }
  await client.query(gentler ?? sql);
  await client.query("insert into schema_migration (version, name, checksum) values ($1, $2, $3)", [
    version,
    name,
    checksum,
  ]);
}

/** Which older programs may start on this schema. The column came later than the table. */
async function leaveWord(client: pg.Client, newest: number): Promise<void> {
  const known = await client.query(
    "select from pg_attribute where attrelid = 'schema_migration'::regclass and attname = 'serves' and not attisdropped",
  );
  if (known.rowCount === 0) await client.query("alter table schema_migration add column serves integer");
  await client.query(
    "update schema_migration set serves = $1 where version = $2 and serves is distinct from $1",
    [SERVES_SCHEMA, newest],
  );
}

async function listApplied(client: pg.Client): Promise<readonly Applied[]> {
  const result = await client.query<Applied>(
    `select version, name, checksum, (to_jsonb(m) ->> 'serves')::integer as serves
     from schema_migration m order by version`,
  );
  return result.rows;
}

/** What ran must be the beginning of what we know, unchanged; or go on in a way that serves us. */
function assertKnown(applied: readonly Applied[], migrations: readonly Migration[]): void {
  for (const [index, row] of applied.entries()) {
    const known = migrations[index];
    if (known === undefined) {
      const { version: found = row.version, serves = null } = applied.at(-1) ?? {};
      if (serves !== null && serves <= migrations.length) return;
      throw new LockstepError(
        "STORE_SCHEMA",
        `Cannot use the store: its schema is ${found}, and this release knows at most ${migrations.length}.`,
        { details: { found, newest: migrations.length } },
      );
    }
    if (row.version !== known.version || row.checksum !== known.checksum) {
      throw new LockstepError(
        "STORE_SCHEMA",
        `Cannot use the store: migration ${row.name} differs from this release's file ${known.name}.`,
        { details: { found: row.name, known: known.name } },
      );
    }
  }
}

async function withClient<T>(
  connection: StoreConnection,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client({
    application_name: "lockstep migrate",
    connectionTimeoutMillis: 10_000,
    ...connection,
  });
  // The query in progress fails and tells; without a listener the event would end the process.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work(client);
  } catch (error) {
    throw toStoreError(error, "look at the store's schema");
  } finally {
    await client.end().catch(() => undefined);
  }
}
