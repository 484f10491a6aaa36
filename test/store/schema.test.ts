/** The migrations and `schema/` are two texts of one thing; nothing but this test keeps them the same. */
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { loadMigrations } from "../../src/adapters/store/migration-files.ts";
import { assertSchema } from "../../src/adapters/store/migrator.ts";
import { OLDEST_SCHEMA } from "../../src/adapters/store/schema/schema.ts";
import { useDatabase } from "../support/database.ts";

const TABLES = new URL("../../src/adapters/store/schema/", import.meta.url);
const source = readdirSync(TABLES)
  .map((file) => readFileSync(new URL(file, TABLES), "utf8"))
  .join("\n");

function fieldsOf(name: string): Map<string, string> {
  const body =
    new RegExp(`interface ${name} \\{\\n([^}]*(?:\\{[^}]*\\}[^}]*)*)\\n\\}`).exec(source)?.[1] ?? "";
  const fields = body.matchAll(/^ {2}(\w+): (.*);$/gm);
  return new Map(Array.from(fields, ([, field = "", type = ""]) => [field, type]));
}

const getDatabase = useDatabase();

test("every column of every table is known to the code, with its nullability", async () => {
  const { pool, connection } = getDatabase();
  await assertSchema(connection);
  const { rows } = await pool.query<{ table: string; column: string; nullable: boolean }>(
    `select table_name as "table", column_name as "column", is_nullable = 'YES' as nullable
     from information_schema.columns where table_schema = 'public' and table_name <> 'schema_migration'`,
  );
  const migrated = rows.map((row) => `${row.table}.${row.column}${row.nullable ? " | null" : ""}`);
  const known = Array.from(fieldsOf("Database"), ([table, type]) =>
    Array.from(fieldsOf(type), ([column, columnType]) => {
      // `null` inside an object's type is the document's business.
      return `${table}.${column}${/\| null(,|>|$)/.test(columnType) ? " | null" : ""}`;
    }),
  ).flat();
  expect(known.length).toBeGreaterThan(100);
  expect(known.sort()).toEqual(migrated.sort());
});

test("the oldest schema that the code works on is one of the migrations", () => {
  const numbers = loadMigrations().map((migration) => migration.version);
  expect(numbers).toContain(OLDEST_SCHEMA);
});
