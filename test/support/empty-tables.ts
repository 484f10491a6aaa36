/**
 * Empties tables, and all that refers to them, as `truncate … cascade` does. Their rows are deleted instead: to truncate makes
 * new files for each table and index, which takes ten times as long, and suites do it before each of their tests.
 */
import { type Kysely, sql } from "kysely";
import type { Database } from "../../src/adapters/store/schema/schema.ts";

/** Waits for whoever still writes into them. Needs a superuser, whose deleting asks no reference. */
export async function emptyTables(db: Kysely<Database>, names: readonly string[]): Promise<void> {
  await sql`
    do ${sql.lit(BODY.replace("NAMES", names.join(",")))}`.execute(db);
}

const BODY = `
declare
  reached regclass[];
  one regclass;
begin
  with recursive referring as (
    select unnest('{NAMES}'::regclass[])::oid as id
    union
    select conrelid from pg_constraint join referring on confrelid = id where contype = 'f'
  )
  select array_agg(id::regclass order by id) into reached from referring;
  foreach one in array reached loop
    execute format('lock table %s in share row exclusive mode', one);
  end loop;
  set local session_replication_role = replica;
  foreach one in array reached loop
    execute format('delete from %s', one);
  end loop;
end`;
