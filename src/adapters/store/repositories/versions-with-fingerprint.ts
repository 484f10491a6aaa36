import type { Kysely } from "kysely";
import type { VersionName } from "../../../core/store/secrets.ts";
import type { Database } from "../schema.ts";

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
