/** A store beside others in one database: in a schema of its own, behind a pooler, next to tables of somebody else. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { createPostgresAgentNotifier } from "../../src/adapters/agent-notifier/postgres-agent-notifier.ts";
import { createPostgresQueue, migratePostgresQueue } from "../../src/adapters/queue/postgres-queue.ts";
import { assertSchema, migrate } from "../../src/adapters/store/migrator.ts";
import { createPool, type StoreConnection } from "../../src/adapters/store/pool.ts";
import { assertSession } from "../../src/adapters/store/session.ts";
import { createStore } from "../../src/adapters/store/store.ts";
import { storeConnection } from "../../src/composition/connections.ts";
import { readSettings } from "../../src/settings/settings.ts";
import { createTestDatabase, type TestDatabase } from "../support/database.ts";
import { databaseUrl, SILENT } from "../support/database-clusters.ts";
import { job, recordRuns } from "../support/queue-kit.ts";

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase("embedded", { migrated: false });
});
afterAll(() => database.drop());

/** Through the settings, as a person names it. */
function inSchema(schema: string, asParameter = false, base = database.connection): StoreConnection {
  const url = databaseUrl(base);
  const settings = readSettings(
    {},
    asParameter
      ? { DATABASE_URL: `${url}&schema=${schema}` }
      : { DATABASE_URL: url, LOCKSTEP_DATABASE_SCHEMA: schema },
  );
  if (settings.database === null) throw new Error("no database");
  return storeConnection(settings.database);
}

async function names(schema: string): Promise<readonly string[]> {
  const { rows } = await database.pool.query<{ name: string }>(
    `select relname as name from pg_class where relnamespace = $1::regnamespace
     union select proname from pg_proc where pronamespace = $1::regnamespace`,
    [schema],
  );
  return rows.map(({ name }) => name);
}

describe("two stores in two schemas of one database", () => {
  const one = () => inSchema("store_one");
  const two = () => inSchema("store_two", true);

  beforeAll(async () => {
    // In the way, if anything of ours looked here.
    await database.pool.query(
      "create table target (mine text); create table schema_migration (version text)",
    );
    for (const connection of [one(), two()]) {
      await assertSession(connection);
      await migrate(connection, SILENT);
      await assertSchema(connection);
      await migratePostgresQueue(connection);
    }
  });

  test("each has tables, functions and triggers of its own, and the rest of the database none", async () => {
    const first = await names("store_one");
    expect(first).toEqual(expect.arrayContaining(["target", "audit_entry", "sealed_under_the_stores_key"]));
    expect([...(await names("store_two"))].sort()).toEqual([...first].sort());
    expect([...(await names("public"))].sort()).toEqual(["schema_migration", "target"]);
  });

  test("what one writes the other does not see", async () => {
    const stores = [one(), two()].map((connection) => createStore(createPool(connection, SILENT)));
    const [first, second] = stores as [ReturnType<typeof createStore>, ReturnType<typeof createStore>];
    await first.transaction(({ secrets }) => secrets.ensureEnvironment("of-one"));
    await second.transaction(({ secrets }) => secrets.ensureEnvironment("of-two"));
    const environments = await Promise.all(stores.map(({ read }) => read.secrets.listEnvironments()));
    expect(environments.map((list) => list.map(({ name }) => name))).toEqual([["of-one"], ["of-two"]]);
    await Promise.all(stores.map((store) => store.close()));
  });

  test("the trigger that guards the record holds there", async () => {
    const client = new pg.Client(one());
    await client.connect();
    await client
      .query("insert into audit_entry (id, action, actor, subject) select gen_random_uuid(), 'x', '{}', '{}'")
      .catch(() => undefined);
    await expect(client.query("truncate audit_entry")).rejects.toThrow(/append/i);
    await client.end();
  });

  test("one's jobs and notifications do not reach the other", async () => {
    const queues = [one(), two()].map((connection) => createPostgresQueue(connection, SILENT));
    const notifiers = [one(), two()].map((connection) => createPostgresAgentNotifier(connection, SILENT));
    const runs = queues.map(() => recordRuns());
    const heard: string[][] = [[], []];
    await Promise.all(
      queues.map((queue, index) => queue.start(runs[index]?.handler ?? (async () => {}), { concurrency: 1 })),
    );
    const listening = notifiers.map(
      (each, index) =>
        new Promise<void>((resolve) =>
          each.listen((told) => {
            if (told === "all") resolve();
            else heard[index]?.push(...told);
          }),
        ),
    );
    await Promise.all(listening);
    const ids = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"];
    for (const [index, queue] of queues.entries()) {
      await queue.enqueue([job(`of-${index}`)]);
      await runs[index]?.saw(`of-${index}`);
      notifiers[index]?.notify([ids[index] ?? ""]);
      await expect.poll(() => heard[index]).toEqual([ids[index]]);
    }
    expect(runs.map(({ runs: each }) => each)).toEqual([["of-0"], ["of-1"]]);
    expect(heard).toEqual(ids.map((id) => [id]));
    await Promise.all([...queues, ...notifiers].map((each) => each.close()));
  });

  test("where somebody else's table has a name of ours, migrating says so and changes nothing", async () => {
    const before = await names("public");
    const said = migrate(database.connection, SILENT);
    await expect(said).rejects.toMatchObject({
      code: "STORE_SCHEMA",
      hint: expect.stringContaining("LOCKSTEP_DATABASE_SCHEMA"),
    });
    await database.pool.query("drop table schema_migration");
    await expect(migrate(database.connection, SILENT)).rejects.toMatchObject({ code: "STORE_SCHEMA" });
    await database.pool.query("create table schema_migration (version text)");
    expect([...(await names("public"))].sort()).toEqual([...before].sort());
  });

  test("who may not make the schema is told what its owner must do; who has it needs no right", async () => {
    const { pool } = database;
    const login = `plain_${randomBytes(4).toString("hex")}`;
    await pool.query(`create role ${login} login password 'test-only'`);
    const plain = (schema: string): StoreConnection =>
      inSchema(schema, false, { ...database.connection, user: login, password: "test-only" });
    await expect(migrate(plain("store_three"), SILENT)).rejects.toMatchObject({
      code: "STORE_SCHEMA",
      hint: expect.stringContaining("CREATE SCHEMA store_three"),
    });
    await pool.query(`create schema store_three authorization ${login}`);
    await migrate(plain("store_three"), SILENT);
    await expect(migratePostgresQueue(plain("store_three"))).rejects.toMatchObject({
      code: "QUEUE_UNAVAILABLE",
      hint: expect.stringContaining("REDIS_URL"),
    });
    await pool.query(`drop schema store_three cascade; drop role ${login}`);
  });
});

describe("behind a connection pooler", () => {
  const closing: (() => void)[] = [];
  afterEach(() => {
    for (const close of closing.splice(0)) close();
  });

  /** Of the startup packet's parameters: refuses what `refused` names, and passes over what `dropped` names. */
  async function pooler({ refused, dropped = [] }: { refused?: string; dropped?: readonly string[] }) {
    const { host = "", port = 5432 } = database.connection;
    const server = createServer((client) => {
      client.on("error", () => undefined);
      client.once("data", (packet) => {
        const parameters = packet.subarray(8).toString("utf8").split("\0");
        if (refused !== undefined && parameters.includes(refused)) return void client.end(refusal(refused));
        const kept = parameters.flatMap((name, index) =>
          index % 2 === 0 && name !== "" && !dropped.includes(name)
            ? [name, parameters[index + 1] ?? ""]
            : [],
        );
        const body = Buffer.concat([packet.subarray(4, 8), Buffer.from(`${kept.join("\0")}\0\0`)]);
        const head = Buffer.alloc(4);
        head.writeUInt32BE(body.length + 4);
        const behind: Socket = connect(`${host}/.s.PGSQL.${port}`);
        behind.on("error", () => client.destroy());
        behind.write(Buffer.concat([head, body]));
        behind.pipe(client).pipe(behind);
      });
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    closing.push(() => server.close());
    return { ...database.connection, host: "127.0.0.1", port: (server.address() as AddressInfo).port };
  }

  function refusal(name: string): Buffer {
    const text = Buffer.from(`SFATAL\0C08P01\0Munsupported startup parameter: ${name}\0\0`);
    const head = Buffer.from("E\0\0\0\0");
    head.writeUInt32BE(text.length + 4, 1);
    return Buffer.concat([head, text]);
  }

  test.each(["statement_timeout", "options", "canary_parameter"])(
    "which refuses %s: it is told as that",
    async (name) => {
      const behind = await pooler({ refused: name });
      const said = assertSession(name === "canary_parameter" ? { ...behind, database: name } : behind);
      await expect(said).rejects.toMatchObject({
        code: "STORE_POOLER",
        message: expect.not.stringContaining("canary"),
        hint: expect.stringContaining("at Postgres itself"),
      });
    },
  );

  test.each([["statement_timeout"], ["options"]])("which passes over %s: nothing is begun", async (name) => {
    await expect(assertSession(await pooler({ dropped: [name] }))).rejects.toMatchObject({
      code: "STORE_POOLER",
      message: expect.stringContaining(name),
    });
  });

  test("which passes everything on: there is nothing to say", async () => {
    await assertSession(await pooler({}));
  });
});
