/** Which requests were made already: keyed digests and answers without values. */
import { type Kysely, sql } from "kysely";
import type { Json } from "../../../core/json.ts";
import type { EarlierRequest, IdempotencyRepo } from "../../../core/store/idempotency.ts";
import { type Database, jsonb } from "../schema/schema.ts";

/** Stands where the answer's status will: something is committed, and no answer is known. As in HTTP, accepted. */
const CHANGED = 202;

export function createIdempotencyRepo(db: Kysely<Database>): IdempotencyRepo {
  return {
    async begin({ tokenId, key, requestHmac }) {
      await sql`delete from idempotency where created_at < now() - interval '1 day'`.execute(db);
      const { rows: ours } = await sql<{ key: string }>`
        insert into idempotency (token_id, key, request_hmac) values (${tokenId}, ${key}, ${requestHmac})
        on conflict do nothing returning key`.execute(db);
      if (ours.length > 0) return null;
      const { rows } = await sql<{ requestHmac: string; status: number | null; response: Json }>`
        select request_hmac as "requestHmac", status, response from idempotency
        where token_id = ${tokenId} and key = ${key}`.execute(db);
      const earlier = rows[0];
      return earlier === undefined ? null : toEarlier(earlier);
    },

    async mark(tokenId, key) {
      await sql`
        update idempotency set status = ${CHANGED}
        where token_id = ${tokenId} and key = ${key} and status is null`.execute(db);
    },

    async finish(tokenId, key, { status, answer }) {
      await sql`
        update idempotency set status = ${status}, response = ${jsonb(answer)}::jsonb
        where token_id = ${tokenId} and key = ${key}`.execute(db);
    },

    async forget(tokenId, key) {
      await sql`
        delete from idempotency where token_id = ${tokenId} and key = ${key} and status is null`.execute(db);
    },
  };
}

function toEarlier(row: { requestHmac: string; status: number | null; response: Json }): EarlierRequest {
  if (row.status === null) return { state: "open", requestHmac: row.requestHmac };
  if (row.status === CHANGED) return { state: "changed", requestHmac: row.requestHmac };
  return { state: "done", requestHmac: row.requestHmac, status: row.status, answer: row.response };
}
