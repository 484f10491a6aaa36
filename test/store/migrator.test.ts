import { afterEach, describe, expect, test } from "vitest";
import { loadMigrations, parseMigration } from "../../src/adapters/store/migration-files.ts";
import { assertSchema, migrate } from "../../src/adapters/store/migrator.ts";
import { OLDEST_SCHEMA, SERVES_SCHEMA } from "../../src/adapters/store/schema/schema.ts";
import { createTestDatabase, somebodyWaitsForLock, type TestDatabase } from "../support/database.ts";
import { SILENT, STORE_KINDS } from "../support/database-clusters.ts";
import { lacks } from "../support/servers.ts";

const first = parseMigration(
  1,
  "000001_first.sql",
  "create table first (a int); insert into first values (1);",
);
const second = parseMigration(2, "000002_second.sql", "insert into first values (2);");
const broken = parseMigration(2, "000002_broken.sql", "insert into first values (2); select nothing;");

describe.each(STORE_KINDS)("the migrator, on %s", (kind) => {
  describe.skipIf(kind === "postgres" && lacks("postgres"))("on a fresh database", () => {
    let database: TestDatabase | null = null;
    let migrating: Promise<unknown> = Promise.resolve();
    const fresh = async (): Promise<TestDatabase> => {
      database = await createTestDatabase(kind, { migrated: false });
      return database;
    };
    afterEach(async () => {
      await database?.drop();
      database = null;
    });

    test("twenty clients race and each file runs exactly once", async () => {
      const { connection, pool } = await fresh();
      const outcomes = await Promise.all(
        Array.from({ length: 20 }, () => migrate(connection, SILENT, [first, second])),
      );
      expect(outcomes.map((outcome) => outcome.version)).toEqual(Array.from({ length: 20 }, () => 2));
      expect(outcomes.reduce((sum, outcome) => sum + outcome.applied, 0)).toBe(2);
      expect((await pool.query("select a from first order by a")).rows).toEqual([{ a: 1 }, { a: 2 }]);
    });

    test("a file that changed after it ran is refused", async () => {
      const { connection } = await fresh();
      await migrate(connection, SILENT, [first]);
      const changed = parseMigration(1, first.name, `${first.sql} -- changed`);
      await expect(migrate(connection, SILENT, [changed, second])).rejects.toMatchObject({
        code: "STORE_SCHEMA",
      });
      await expect(assertSchema(connection, [changed])).rejects.toMatchObject({ code: "STORE_SCHEMA" });
    });

    test("a schema newer than the release knows is refused, by migrating and by starting", async () => {
      const { connection } = await fresh();
      await migrate(connection, SILENT, [first, second]);
      await expect(migrate(connection, SILENT, [first])).rejects.toMatchObject({
        code: "STORE_SCHEMA",
        details: { found: 2, newest: 1 },
      });
      await expect(assertSchema(connection, [first])).rejects.toMatchObject({ code: "STORE_SCHEMA" });
    });

    test("a newer schema is worked on where its release said so, and refused by what is older still", async () => {
      const { connection, pool } = await fresh();
      const all = loadMigrations();
      await migrate(connection, SILENT, all);
      const before = all.slice(0, SERVES_SCHEMA);
      await assertSchema(connection, before);
      expect(await migrate(connection, SILENT, before)).toMatchObject({ applied: 0 });
      // It has not left its own word in the place of the newer one's.
      await assertSchema(connection, before);
      await expect(assertSchema(connection, all.slice(0, SERVES_SCHEMA - 1))).rejects.toMatchObject({
        code: "STORE_SCHEMA",
        details: { found: all.length, newest: SERVES_SCHEMA - 1 },
      });
      await pool.query("update schema_migration set serves = null");
      await expect(assertSchema(connection, before)).rejects.toMatchObject({ code: "STORE_SCHEMA" });
      await migrate(connection, SILENT, all);
      await assertSchema(connection, before);
    });

    test("a store that was never migrated is refused by starting", async () => {
      const { connection } = await fresh();
      await expect(assertSchema(connection)).rejects.toMatchObject({
        code: "STORE_SCHEMA",
        details: { found: 0, oldest: OLDEST_SCHEMA },
      });
    });

    test("a file waits for those who work, in whatever order they need its tables, and nobody's work fails", async () => {
      const found = await fresh();
      const { connection, pool } = found;
      const before = parseMigration(
        1,
        "000001_before.sql",
        "create table early (a int); create table late (a int);",
      );
      // Comes to them in the other order than who works there.
      const text = "alter table late add b int; alter table early add b int;";
      const file = parseMigration(2, "000002_both.sql", `-- Locks first: early, late\n${text}`);
      await migrate(connection, SILENT, [before]);
      const worker = await pool.connect();
      try {
        await worker.query("begin; insert into early (a) values (1)");
        migrating = migrate(connection, SILENT, [before, file]);
        await somebodyWaitsForLock(found);
        const { rowCount } = await pool.query(
          "select from pg_locks where relation = 'late'::regclass and granted and mode = 'AccessExclusiveLock'",
        );
        expect(rowCount).toBe(0);
        await worker.query("insert into late (a) values (1)");
        await worker.query("commit");
      } finally {
        worker.release();
      }
      expect(await migrating).toEqual({ version: 2, applied: 1 });
      expect((await pool.query("select early.b from early, late")).rows).toEqual([{ b: null }]);
    });

    test("a file that waited too long for a table gives way, and begins again", async () => {
      const { connection, pool } = await fresh();
      const before = parseMigration(
        1,
        "000001_before.sql",
        "create table early (a int); create table late (a int);",
      );
      const file = parseMigration(
        2,
        "000002_both.sql",
        "alter table late add b int; alter table early add b int;",
      );
      await migrate(connection, SILENT, [before]);
      const worker = await pool.connect();
      try {
        await worker.query("begin; insert into early (a) values (1)");
        const gaveWay = new Promise<void>((resolve) => {
          migrating = migrate(connection, { ...SILENT, debug: () => resolve() }, [before, file]);
        });
        await gaveWay;
        await worker.query("commit");
      } finally {
        worker.release();
      }
      expect(await migrating).toEqual({ version: 2, applied: 1 });
    });

    test("a file that fails leaves nothing of itself behind, and names itself without the statement", async () => {
      const { connection, pool } = await fresh();
      await expect(migrate(connection, SILENT, [first, broken])).rejects.toMatchObject({
        code: "INTERNAL",
        message: expect.stringMatching(/000002_broken\.sql/),
      });
      expect((await pool.query("select a from first")).rows).toEqual([{ a: 1 }]);
      expect((await pool.query("select version from schema_migration")).rows).toEqual([{ version: 1 }]);
      await migrate(connection, SILENT, [first, second]);
    });
  });
});

test("line ends of another system are no change", () => {
  expect(parseMigration(1, "a", "select 1;\r\nselect 2;\r\n").checksum).toBe(
    parseMigration(1, "a", "select 1;\nselect 2;\n").checksum,
  );
});

test("an unreachable Postgres is told as unavailable, without the address's secrets", async () => {
  const connection = { host: "/nonexistent", user: "lockstep", password: "hunter2-canary", database: "x" };
  const failure = await migrate(connection, SILENT).catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: "STORE_UNAVAILABLE", details: { code: "ENOENT" } });
  expect(JSON.stringify(failure)).not.toContain("hunter2");
});
