/** Which version a value is, and where a version still stands as far as is known. */
import { type Kysely, sql } from "kysely";
import type { VersionName } from "../../../core/secret.ts";
import type { Database } from "../schema/schema.ts";

/** A fingerprint is of one secret's value: only the pair names a version. */
export async function selectVersionsWithFingerprint(
  db: Kysely<Database>,
  fingerprints: ReadonlyMap<string, string>,
): Promise<readonly VersionName[]> {
  if (fingerprints.size === 0) return [];
  const rows = await db
    .selectFrom("secret_version")
    .select(["secret_id as secretId", "version", "fingerprint"])
    .where("fingerprint", "in", [...new Set(fingerprints.values())])
    .where("state", "<>", "destroyed")
    .orderBy("version", "desc")
    .execute();
  return rows.flatMap(({ secretId, version, fingerprint }) =>
    fingerprints.get(secretId) === fingerprint ? [{ secretId, version }] : [],
  );
}

/** Names of targets, by name: what was settled there, and what was seen there last. Removed bindings and targets do not count. */
export async function selectPlacesHolding(
  db: Kysely<Database>,
  secretId: string,
  version: number,
): Promise<readonly string[]> {
  const { rows } = await sql<{ name: string }>`
    select distinct t.name from binding b join target t on t.id = b.target_id
    where b.secret_id = ${secretId} and b.removed_at is null and t.removed_at is null and (
      ${version} in ((b.settled ->> 'primary')::int, (b.settled ->> 'fallback')::int)
      or exists (
        select from observation o
        where o.binding_id = b.id and o.found = 'version' and o.version = ${version}))
    order by t.name`.execute(db);
  return rows.map((row) => row.name);
}
