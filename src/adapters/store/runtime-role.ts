/**
 * Rights for servers and workers on a Postgres of the operator's: they work, and cannot change history, drop the
 * trigger that guards it, or migrate. Given whenever `migrate` runs (as the tables' owner) and finds the role, so new
 * tables are covered and the role may be made at any time. What is in the store's README is tested.
 */
import pg from "pg";
import { MIGRATION_TABLE } from "./migration-files.ts";

export const RUNTIME_ROLE = "lockstep_runtime";

const APPEND_ONLY = "audit_entry";

/**
 * Inside the migrator's transaction; `tables`: those that the migrations made. False when there is no such role. The
 * schema may hold tables of others, which are no matter of ours, and which their owner alone may give away.
 */
export async function grantRuntimeRole(client: pg.Client, tables: readonly string[]): Promise<boolean> {
  const role = await client.query("select from pg_roles where rolname = $1", [RUNTIME_ROLE]);
  if (role.rowCount === 0) return false;
  const schema = pg.escapeIdentifier(await currentSchema(client));
  const qualified = (name: string): string => `${schema}.${pg.escapeIdentifier(name)}`;
  const sequences = await sequencesOf(client, tables);
  await client.query(`
    grant usage on schema ${schema} to ${RUNTIME_ROLE};
    grant select, insert, update, delete on ${tables.map(qualified).join(", ")} to ${RUNTIME_ROLE};
    revoke insert, update, delete, truncate on ${qualified(MIGRATION_TABLE)} from ${RUNTIME_ROLE};
  `);
  if (tables.includes(APPEND_ONLY)) {
    await client.query(`revoke update, delete, truncate on ${qualified(APPEND_ONLY)} from ${RUNTIME_ROLE}`);
  }
  if (sequences.length > 0) {
    await client.query(`grant usage on sequence ${sequences.map(qualified).join(", ")} to ${RUNTIME_ROLE}`);
  }
  return true;
}

async function currentSchema(client: pg.Client): Promise<string> {
  const { rows } = await client.query<{ name: string | null }>("select current_schema() as name");
  return rows[0]?.name ?? "public";
}

/** Those that belong to a column of the tables. */
async function sequencesOf(client: pg.Client, tables: readonly string[]): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select sequence.relname as name
     from pg_class as sequence
     join pg_depend on pg_depend.objid = sequence.oid and pg_depend.classid = 'pg_class'::regclass
       and pg_depend.deptype in ('a', 'i')
     join pg_class as owner on owner.oid = pg_depend.refobjid
     where sequence.relkind = 'S' and owner.relname = any($1)
       and owner.relnamespace = current_schema()::regnamespace
       and sequence.relnamespace = owner.relnamespace`,
    [tables],
  );
  return rows.map(({ name }) => name);
}
