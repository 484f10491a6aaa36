/** What runs in the place of a merged migration leaves the same tables and the same rows behind. */
import { expect, it } from "vitest";
import { loadMigrations } from "../../src/adapters/store/migration-files.ts";
import { migrate } from "../../src/adapters/store/migrator.ts";
import { createTestDatabase, somebodyWaitsForLock, type TestDatabase } from "../support/database.ts";
import { SILENT } from "../support/database-clusters.ts";

const SCHEMA = `
  select 'column' as kind, table_name as of, column_name as name,
    concat_ws(' ', data_type, is_nullable, column_default, is_identity) as is
  from information_schema.columns where table_schema = current_schema()
  union all select 'index', tablename, indexname, indexdef from pg_indexes where schemaname = current_schema()
  union all select 'constraint', conrelid::regclass::text, conname, pg_get_constraintdef(oid) || convalidated
  from pg_constraint where connamespace = current_schema()::regnamespace and contype <> 'n'
  union all select 'trigger', tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) from pg_trigger where not tgisinternal
  union all select 'function', '', proname, prosrc from pg_proc where pronamespace = current_schema()::regnamespace
  union all select 'relation', relkind::text, relname, reloptions::text from pg_class where relnamespace = current_schema()::regnamespace
  order by 1, 2, 3, 4`;
const ROWS = `
  select b.key, o.slot, o.found, o.version, o.reason, o.first_seen_at, o.observed_at, c.found as was, c.seen_at
  from observation o join binding b on b.id = o.binding_id
    join observation_change c on c.binding_id = o.binding_id and c.slot = o.slot order by 1, 2, c.id`;

const LOOK = `
  insert into observation (binding_id, slot, found, version, reason, observed_at)
  select b.id, slot, 'version', look, 'look ' || look, '2026-01-01'::timestamptz + look * interval '1 minute'
  from`;
const FILLED = `
  with e as (insert into environment (name) values ('production') returning id),
    s as (insert into secret (environment_id, name, policy) select id, 'AUTH', '{}' from e returning id),
    t as (insert into target (environment_id, name, kind, config, destination)
      select id, 'api', 'memory', '{}', 'd' from e returning id)
  insert into binding (secret_id, target_id, key, fallback_key, role, options)
  select s.id, t.id, key, key || '_FALLBACK', 'both', '{}' from s, t, unnest(array['A', 'B', 'NEVER_SEEN']) key;
  ${LOOK} generate_series(1, 3) look, binding b, unnest(array['primary', 'fallback']) slot
  where key <> 'NEVER_SEEN' order by look`;

async function onFilledStore<T>(version: number, work: (database: TestDatabase) => Promise<T>): Promise<T> {
  const database = await createTestDatabase("embedded", { migrated: false });
  try {
    await migrate(database.connection, SILENT, loadMigrations().slice(0, version - 1));
    await database.pool.query(FILLED);
    return await work(database);
  } finally {
    await database.drop();
  }
}

it.each(loadMigrations().filter(({ gentler }) => gentler !== null))("$name", async ({ version }) => {
  const all = loadMigrations().slice(0, version);
  const after = (isGentle: boolean) =>
    onFilledStore(version, async ({ connection, pool }) => {
      await migrate(connection, SILENT, isGentle ? all : all.map((file) => ({ ...file, gentler: null })));
      return { schema: (await pool.query(SCHEMA)).rows, rows: (await pool.query(ROWS)).rows };
    });
  const gentle = await after(true);
  expect(gentle).toEqual(await after(false));
  expect(gentle.rows).toHaveLength(4);
});

it("what was seen while 000021 copied is there afterwards, once, and nobody waited for the copying", async () => {
  await onFilledStore(21, async (database) => {
    const { connection, pool } = database;
    const worker = await pool.connect();
    let migrating: Promise<unknown> = Promise.resolve();
    try {
      // Holds what the migration needs in the end, not what it copies.
      await worker.query("begin; update binding set evidence = 'stored' where key = 'B'");
      migrating = migrate(connection, SILENT, loadMigrations().slice(0, 21));
      await somebodyWaitsForLock(database);
      await worker.query(`${LOOK} (values (4)) as looks (look), binding b, unnest(array['primary']) slot`);
      await worker.query("commit");
    } finally {
      worker.release();
    }
    await migrating;
    const { rows } = await pool.query(ROWS);
    expect(rows.map(({ key, slot, version, was }) => `${key} ${slot} ${version} ${was}`)).toEqual([
      "A fallback 3 version",
      "A primary 4 version",
      "B fallback 3 version",
      "B primary 4 version",
      "NEVER_SEEN primary 4 version",
    ]);
  });
});
