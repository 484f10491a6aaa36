/**
 * Rights for servers and workers on a Postgres of the operator's: they work, and cannot change history, drop the
 * trigger that guards it, or migrate. Given whenever `migrate` runs (as the tables' owner) and finds the role, so new
 * tables are covered and the role may be made at any time. What is in the store's README is tested.
 */
import type pg from "pg";

export const RUNTIME_ROLE = "lockstep_runtime";

const APPEND_ONLY = "audit_entry";
const READ_ONLY = "schema_migration";

/** Inside the migrator's transaction. False when there is no such role. */
export async function grantRuntimeRole(client: pg.Client): Promise<boolean> {
  const role = await client.query("select from pg_roles where rolname = $1", [RUNTIME_ROLE]);
  if (role.rowCount === 0) return false;
  const schemas = await client.query<{ name: string }>("select quote_ident(current_schema()) as name");
  const schema = schemas.rows[0]?.name ?? "public";
  await client.query(`
    grant usage on schema ${schema} to ${RUNTIME_ROLE};
    grant select, insert, update, delete on all tables in schema ${schema} to ${RUNTIME_ROLE};
    revoke update, delete, truncate on ${APPEND_ONLY} from ${RUNTIME_ROLE};
    revoke insert, update, delete, truncate on ${READ_ONLY} from ${RUNTIME_ROLE};
    grant usage on all sequences in schema ${schema} to ${RUNTIME_ROLE};
  `);
  return true;
}
