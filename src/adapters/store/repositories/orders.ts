import { type Kysely, sql } from "kysely";
import type { OrderRepo } from "../../../core/store/orders.ts";
import type { Database } from "../schema/schema.ts";

export function createOrderRepo(db: Kysely<Database>): OrderRepo {
  return {
    async give(targetId, { epoch, generation, digest }) {
      const { rows } = await sql<{ taken: boolean }>`
        select exists (select from given_order where target_id = ${targetId} and epoch = ${epoch}
          and generation = ${generation} and digest is distinct from ${digest}) as taken`.execute(db);
      if (rows[0]?.taken !== false) return false;
      await sql`
        insert into given_order (digest, target_id, epoch, generation)
        values (${digest}, ${targetId}, ${epoch}, ${generation}) on conflict (digest) do nothing`.execute(db);
      return true;
    },

    async knows({ epoch, generation, digest }) {
      const { rows } = await (digest === null
        ? sql<{ known: boolean }>`
            select exists (select from push where epoch = ${epoch} and generation = ${generation}) as known`
        : sql<{ known: boolean }>`
            select exists (select from given_order where digest = ${digest} and epoch = ${epoch}
              and generation = ${generation}) as known`
      ).execute(db);
      return rows[0]?.known ?? false;
    },
  };
}
