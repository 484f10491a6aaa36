/** Places in other hands: what people said stands there, and which values they were shown. */
import { type Kysely, sql } from "kysely";
import type { ManualPlace, ManualRepo } from "../../../core/store/manual.ts";
import type { Database } from "../schema/schema.ts";

export function createManualRepo(db: Kysely<Database>): ManualRepo {
  return {
    async places(targetId) {
      const { rows } = await sql<ManualPlace>`
        select placement, key, version from manual_place where target_id = ${targetId} order by placement, key`.execute(
        db,
      );
      return rows;
    },

    async confirm(targetId, places, actor) {
      await sql`delete from manual_place where target_id = ${targetId}`.execute(db);
      for (const { placement, key, version } of places) {
        await sql`
          insert into manual_place (target_id, placement, key, version, confirmed_by)
          values (${targetId}, ${placement}, ${key}, ${version}, ${JSON.stringify(actor)}::jsonb)`.execute(
          db,
        );
      }
    },

    async reveal(targetId, generation, key, actor) {
      const { numAffectedRows } = await sql`
        insert into manual_reveal (target_id, generation, key, actor)
        values (${targetId}, ${generation}, ${key}, ${JSON.stringify(actor)}::jsonb) on conflict do nothing`.execute(
        db,
      );
      return numAffectedRows === 1n;
    },
  };
}
