/** Ruling 32 rests on one list: whoever adds a column with sealed text is told here what else that means. */
import { expect, test } from "vitest";
import { SEALED_COLUMNS } from "../../src/adapters/store/repositories/sealed-texts.ts";
import { describeOnAStore } from "../support/database.ts";

const LISTED = SEALED_COLUMNS.map(({ table, column }) => `${table}.${column}`).sort();

describeOnAStore("columns that hold sealed texts", (database) => {
  const names = async (query: string) =>
    (await database().pool.query<{ name: string }>(query)).rows.map(({ name }) => name).sort();

  test("ruling 32: each one in the schema is in the list that `rewrap` and doctor count", async () => {
    const inSchema = await names(
      `select table_name || '.' || column_name as name from information_schema.columns
       where table_schema = current_schema() and (column_name like '%sealed%' or column_name = 'key_check')`,
    );
    expect(inSchema).toEqual(LISTED);
  });

  test("ruling 32: on each one the store refuses a text under another key, on insert and on update", async () => {
    const guarded = await names(
      `select c.relname || '.' || convert_from(substring(t.tgargs for length(t.tgargs) - 1), 'UTF8') as name
       from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid
       where p.proname = 'sealed_under_the_stores_key' and t.tgenabled = 'O'
         -- per row, before, on insert and on update
         and t.tgtype & 1 = 1 and t.tgtype & 2 = 2 and t.tgtype & 4 = 4 and t.tgtype & 16 = 16`,
    );
    expect(guarded).toEqual(LISTED);
  });
});
