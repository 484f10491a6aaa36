/** What a person should know without asking. */
import { type Kysely, sql } from "kysely";
import type { AlertRecord, AlertRepo } from "../../../core/ports/store/alerts.ts";
import type { Database } from "../schema.ts";

export function createAlertRepo(db: Kysely<Database>): AlertRepo {
  return {
    async raise({ kind, subjectId, level, message, remedy }) {
      const { rows } = await sql<{ id: string; opened: boolean }>`
        insert into alert (kind, subject_id, level, message, remedy)
        values (${kind}, ${subjectId}, ${level}, ${message}, ${remedy})
        on conflict (kind, subject_id) where resolved_at is null
        do update set level = excluded.level, message = excluded.message, remedy = excluded.remedy, updated_at = now()
        returning id, xmax = 0 as opened`.execute(db);
      const [row] = rows;
      if (row === undefined) throw new Error("an insert that answers nothing");
      return row;
    },

    async resolve(kind, subjectId) {
      const { rows } = await sql<{ id: string }>`
        update alert set resolved_at = now(), updated_at = now()
        where kind = ${kind} and subject_id = ${subjectId} and resolved_at is null returning id`.execute(db);
      return rows[0] ?? null;
    },

    async list({ open, limit }) {
      const { rows } = await sql<AlertRecord>`
        select id, kind, subject_id as "subjectId", level, message, remedy, opened_at as "openedAt",
          updated_at as "updatedAt", resolved_at as "resolvedAt"
        from alert where ${open ? sql`resolved_at is null` : sql`true`}
        order by opened_at desc, id limit ${limit}`.execute(db);
      return rows;
    },
  };
}
