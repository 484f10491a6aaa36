/** Sealed texts, page by page: versions first, then targets' credentials. */
import { type Kysely, sql } from "kysely";
import type {
  SealedCredentials,
  SealedText,
  SealedTextRepo,
  SealedVersion,
} from "../../../core/ports/store/sealed-texts.ts";
import type { Database } from "../schema.ts";

const FIRST_ID = "00000000-0000-0000-0000-000000000000";

export function createSealedTextRepo(db: Kysely<Database>): SealedTextRepo {
  const versions = async (after: SealedVersion | null, limit: number): Promise<readonly SealedVersion[]> => {
    const { rows } = await sql<Omit<SealedVersion, "kind">>`
      select secret_id as "secretId", version, value_sealed as sealed from secret_version
      where value_sealed is not null
        and (secret_id, version) > (${after?.secretId ?? FIRST_ID}::uuid, ${after?.version ?? 0}::int)
      order by secret_id, version limit ${limit}`.execute(db);
    return rows.map((row) => ({ kind: "version", ...row }));
  };
  const credentials = async (
    after: SealedCredentials | null,
    limit: number,
  ): Promise<readonly SealedCredentials[]> => {
    const { rows } = await sql<Omit<SealedCredentials, "kind">>`
      select id as "targetId", destination, credentials_sealed as sealed from target
      where credentials_sealed is not null and id > ${after?.targetId ?? FIRST_ID}::uuid
      order by id limit ${limit}`.execute(db);
    return rows.map((row) => ({ kind: "credentials", ...row }));
  };

  return {
    async page(after, limit): Promise<readonly SealedText[]> {
      if (after?.kind === "credentials") return credentials(after, limit);
      const found = await versions(after, limit);
      return found.length > 0 ? found : credentials(null, limit);
    },

    async replace(text, sealed) {
      const { numAffectedRows } = await (text.kind === "version"
        ? sql`
            update secret_version set value_sealed = ${sealed}
            where secret_id = ${text.secretId} and version = ${text.version} and value_sealed = ${text.sealed}`
        : sql`
            update target set credentials_sealed = ${sealed}
            where id = ${text.targetId} and credentials_sealed = ${text.sealed}`
      ).execute(db);
      return numAffectedRows === 1n;
    },
  };
}
