/** Sealed texts, page by page, one kind after the other. */
import { type Kysely, type RawBuilder, sql } from "kysely";
import type { SealedText, SealedTextRepo } from "../../../core/store/sealed-texts.ts";
import type { Database } from "../schema/schema.ts";

/**
 * Every column that holds a sealed text: `rewrap` counts them, doctor counts them, and a trigger on each refuses a text
 * under another key than the store's. A test compares the list with the schema and with the triggers.
 */
export const SEALED_COLUMNS = [
  { table: "secret_version", column: "value_sealed" },
  { table: "target", column: "credentials_sealed" },
  { table: "store_key", column: "private_sealed" },
  { table: "enrolment", column: "mac_key_sealed" },
  { table: "channel", column: "credentials_sealed" },
  { table: "store_meta", column: "fingerprint_key_sealed" },
  { table: "store_meta", column: "key_check" },
] as const;

/** The key that a sealed text was wrapped under: envelope.ts tells its shape. Empty for what is none. */
export function keyIdIn(sealed: RawBuilder<unknown>): RawBuilder<string> {
  return sql<string>`split_part(${sealed}, '.', 3)`;
}

const FIRST_ID = "00000000-0000-0000-0000-000000000000";

type Kind = SealedText["kind"];
type Of<K extends Kind> = Extract<SealedText, { readonly kind: K }>;

/** How the rows of a kind are walked through and written; the order is the kinds'. */
const TABLES: { readonly [K in Kind]: Table<K> } = {
  version: {
    after: (last) => sql`
      select secret_id as "secretId", version, value_sealed as sealed from secret_version
      where value_sealed is not null
        and (secret_id, version) > (${last?.secretId ?? FIRST_ID}::uuid, ${last?.version ?? 0}::int)
      order by secret_id, version`,
    replace: ({ secretId, version, sealed: old }, sealed) => sql`
      update secret_version set value_sealed = ${sealed}
      where secret_id = ${secretId} and version = ${version} and value_sealed = ${old}`,
  },
  credentials: {
    after: (last) => sql`
      select id as "targetId", destination, credentials_sealed as sealed from target
      where credentials_sealed is not null and id > ${last?.targetId ?? FIRST_ID}::uuid
      order by id`,
    replace: ({ targetId, sealed: old }, sealed) => sql`
      update target set credentials_sealed = ${sealed}
      where id = ${targetId} and credentials_sealed = ${old}`,
  },
  "store-key": {
    after: (last) => sql`
      select name, private_sealed as sealed from store_key where name > ${last?.name ?? ""} order by name`,
    replace: ({ name, sealed: old }, sealed) => sql`
      update store_key set private_sealed = ${sealed} where name = ${name} and private_sealed = ${old}`,
  },
  enrolment: {
    after: (last) => sql`
      select id as "enrolmentId", mac_key_sealed as sealed from enrolment
      where id > ${last?.enrolmentId ?? FIRST_ID}::uuid order by id`,
    replace: ({ enrolmentId, sealed: old }, sealed) => sql`
      update enrolment set mac_key_sealed = ${sealed} where id = ${enrolmentId} and mac_key_sealed = ${old}`,
  },
  channel: {
    after: (last) => sql`
      select name, destination, credentials_sealed as sealed from channel
      where credentials_sealed is not null and name > ${last?.name ?? ""} order by name`,
    replace: ({ name, sealed: old }, sealed) => sql`
      update channel set credentials_sealed = ${sealed} where name = ${name} and credentials_sealed = ${old}`,
  },
};
const KINDS = Object.keys(TABLES) as readonly Kind[];

interface Table<K extends Kind> {
  after(last: Of<K> | null): RawBuilder<Omit<Of<K>, "kind">>;
  replace(text: Of<K>, sealed: string): RawBuilder<unknown>;
}

export function createSealedTextRepo(db: Kysely<Database>): SealedTextRepo {
  async function rowsOf<K extends Kind>(kind: K, last: Of<K> | null, limit: number): Promise<SealedText[]> {
    const { rows } = await sql<Omit<Of<K>, "kind">>`${TABLES[kind].after(last)} limit ${limit}`.execute(db);
    return rows.map((row) => ({ kind, ...row }) as unknown as SealedText);
  }

  return {
    async page(after, limit) {
      let found = await (after === null
        ? rowsOf("version", null, limit)
        : rowsOf(after.kind, after as never, limit));
      const next = after === null ? 1 : KINDS.indexOf(after.kind) + 1;
      for (const kind of KINDS.slice(next)) {
        if (found.length > 0) break;
        found = await rowsOf(kind, null, limit);
      }
      return found;
    },

    async countByKey() {
      const parts = SEALED_COLUMNS.map(
        ({ table, column }) => sql`
          select ${keyIdIn(sql.ref(column))} as key_id from ${sql.table(table)}
          where ${sql.ref(column)} is not null`,
      );
      const { rows } = await sql<{ key_id: string; count: number }>`
        select key_id, count(*)::int as count from (${sql.join(parts, sql` union all `)}) as texts
        group by key_id`.execute(db);
      return new Map(rows.map(({ key_id, count }) => [key_id, count]));
    },

    async replace(text, sealed) {
      const table = TABLES[text.kind] as Table<Kind>;
      const { numAffectedRows } = await table.replace(text, sealed).execute(db);
      return numAffectedRows === 1n;
    },
  };
}
