import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadMigrations, tablesOf } from "../../src/adapters/store/migration-files.ts";
import { assertSchema, migrate } from "../../src/adapters/store/migrator.ts";
import { createPool, type StoreConnection } from "../../src/adapters/store/pool.ts";
import { RUNTIME_ROLE } from "../../src/adapters/store/runtime-role.ts";
import { createStore } from "../../src/adapters/store/store.ts";
import { describeOnEachStore } from "../support/database.ts";
import { SILENT } from "../support/database-clusters.ts";

describeOnEachStore("a store with a runtime role", (getDatabase) => {
  let runtime: StoreConnection = {};
  let login = "";

  beforeEach(async () => {
    const { pool, connection } = getDatabase();
    login = `runtime_${randomBytes(4).toString("hex")}`;
    // Roles belong to the cluster: whatever database is migrated meanwhile gives it rights, so that it stays.
    await pool.query(
      `do $$ begin create role ${RUNTIME_ROLE}; exception when duplicate_object then null; end $$`,
    );
    await pool.query(`create role ${login} login password 'test-only' in role ${RUNTIME_ROLE}`);
    await migrate(connection, SILENT);
    await migrate(connection, SILENT);
    runtime = { ...connection, user: login, password: "test-only" };
  });

  afterEach(async () => {
    const { pool } = getDatabase();
    await pool.query(`drop role ${login}`);
    await pool.query(`drop owned by ${RUNTIME_ROLE}`);
  });

  test("has rights on our own tables alone: what others keep in the same schema stays theirs", async () => {
    const { pool, connection } = getDatabase();
    await pool.query("create table somebody_elses (id serial primary key, secret text)");
    await pool.query('create table "Somebody\'s ""other""" (id int)');
    await migrate(connection, SILENT);
    const { rows } = await pool.query<{ name: string; mine: boolean }>(
      `select relname as name, has_table_privilege($1, oid, 'select, insert, update, delete, truncate') or
         (relkind = 'S' and has_sequence_privilege($1, oid, 'usage, select, update')) as mine
       from pg_class where relnamespace = current_schema()::regnamespace and relkind in ('r', 'S')`,
      [RUNTIME_ROLE],
    );
    const theirs = ["somebody_elses", "somebody_elses_id_seq", 'Somebody\'s "other"'];
    expect(
      rows
        .filter(({ mine }) => !mine)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(theirs.sort());
    expect((await pool.query("select from pg_default_acl")).rowCount).toBe(0);
    await pool.query('drop table somebody_elses, "Somebody\'s ""other"""');
  });

  test("in a schema of the store's own it has them there alone", async () => {
    const { pool, connection } = getDatabase();
    await migrate({ ...connection, schema: "own", options: "-csearch_path=own" }, SILENT);
    const { rows } = await pool.query(
      `select has_table_privilege($1, 'own.target', 'update') as here,
         has_table_privilege($1, 'own.audit_entry', 'update') as history,
         has_schema_privilege($1, 'own', 'usage') as usage, has_schema_privilege($1, 'own', 'create') as creates`,
      [RUNTIME_ROLE],
    );
    expect(rows).toEqual([{ here: true, history: false, usage: true, creates: false }]);
    await pool.query("drop schema own cascade");
  });

  test("the tables that count as ours are those that stand after all migrations", async () => {
    const { rows } = await getDatabase().pool.query<{ name: string }>(
      "select tablename as name from pg_tables where schemaname = current_schema()",
    );
    expect([...tablesOf(loadMigrations())].sort()).toEqual(rows.map(({ name }) => name).sort());
  });

  test("works, and can neither change history nor the schema, whatever it is made to say", async () => {
    await assertSchema(runtime);
    const store = createStore(createPool(runtime, SILENT));
    await store.transaction(async ({ secrets, audit }) => {
      const { id } = await secrets.ensureEnvironment("production");
      await secrets.create({ environmentId: id, name: "A", policy: {} });
      await audit.append({
        action: "secret.created",
        actor: { kind: "system", id: "s", name: "s" },
        subject: { kind: "secret", id: "s", name: "A" },
      });
    });
    expect(await store.read.audit.list({ limit: 1 })).toHaveLength(1);
    await store.close();

    const client = new pg.Client({ ...runtime });
    await client.connect();
    for (const statement of [
      "update audit_entry set action = 'x'",
      "delete from audit_entry",
      "truncate audit_entry",
      "alter table audit_entry disable trigger all",
      "drop trigger audit_entry_append_only on audit_entry",
      "create or replace function audit_entry_is_append_only() returns trigger language sql as ''",
      "drop table audit_entry",
      "set session_replication_role = 'replica'",
      "update schema_migration set checksum = 'x'",
      "insert into schema_migration (version, name, checksum) values (99, 'x', 'x')",
    ]) {
      await expect(client.query(statement), statement).rejects.toMatchObject({ code: "42501" });
    }
    await client.end();
    await expect(migrate(runtime, SILENT)).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
  });
});
