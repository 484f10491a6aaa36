import { randomBytes } from "node:crypto";
import pg from "pg";
import { afterEach, beforeEach, expect, test } from "vitest";
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
    await pool.query(`create role ${RUNTIME_ROLE}`);
    await pool.query(`create role ${login} login password 'test-only' in role ${RUNTIME_ROLE}`);
    await migrate(connection, SILENT);
    await migrate(connection, SILENT);
    runtime = { ...connection, user: login, password: "test-only" };
  });

  afterEach(async () => {
    const { pool } = getDatabase();
    await pool.query(`drop role ${login}`);
    await pool.query(`drop owned by ${RUNTIME_ROLE}`);
    await pool.query(`drop role ${RUNTIME_ROLE}`);
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
