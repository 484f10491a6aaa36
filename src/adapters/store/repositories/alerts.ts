/** What a person should know without asking. */
import { type Kysely, sql } from "kysely";
import type { AlertRecord, AlertRepo } from "../../../core/store/alerts.ts";
import type { Database } from "../schema/schema.ts";

export function createAlertRepo(db: Kysely<Database>): AlertRepo {
  return {
    async raise({ kind, subjectId, level, message, remedy }, holdMs = 0) {
      const { rows } = await sql<{ id: string; opened: boolean }>`
        insert into alert (kind, subject_id, level, message, remedy)
        values (${kind}, ${subjectId}, ${level}, ${message}, ${remedy})
        on conflict (kind, subject_id) where resolved_at is null
        do update set level = excluded.level, message = excluded.message, remedy = excluded.remedy, updated_at = now()
        returning id, xmax = 0 as opened`.execute(db);
      const [row] = rows;
      if (row === undefined) throw new Error("an insert that answers nothing");
      // What was not sent yet stays what it is, with the newer words.
      await sql`
        insert into delivery (channel_id, alert_id, event, next_attempt_at)
        select c.id, ${row.id}, ${row.opened ? "opened" : "changed"}, now() + ${holdMs} * interval '1 millisecond'
        from channel c where c.removed_at is null and not exists (
          select from silence s where s.until > now() and (s.kind is null or s.kind = ${kind})
            and (s.subject_id is null or s.subject_id = ${subjectId}))
        on conflict (channel_id, alert_id) where state = 'pending'
        do update set next_attempt_at = least(delivery.next_attempt_at, excluded.next_attempt_at), reached = '{}'`.execute(
        db,
      );
      return row;
    },

    async resolve(kind, subjectId) {
      const { rows } = await sql<{ id: string }>`
        update alert set resolved_at = now(), updated_at = now()
        where kind = ${kind} and subject_id = ${subjectId} and resolved_at is null returning id`.execute(db);
      const [row] = rows;
      if (row === undefined) return null;
      await sql`delete from delivery where alert_id = ${row.id} and state = 'pending' and attempts = 0`.execute(
        db,
      );
      await sql`
        insert into delivery (channel_id, alert_id, event)
        select c.id, ${row.id}, 'resolved' from channel c where c.removed_at is null and exists (
          select from delivery d where d.channel_id = c.id and d.alert_id = ${row.id})
        on conflict (channel_id, alert_id) where state = 'pending'
        do update set event = 'resolved', next_attempt_at = now(), reached = '{}'`.execute(db);
      return row;
    },

    async close(kinds, ageMs) {
      const { rows } = await sql<{ kind: string; subjectId: string }>`
        update alert set resolved_at = now()
        where kind = any(${[...kinds]}) and resolved_at is null
          and updated_at < now() - ${ageMs} * interval '1 millisecond'
        returning kind, subject_id as "subjectId"`.execute(db);
      return rows;
    },

    async silence({ kind, forMs, reason, actor }) {
      await sql`
        insert into silence (kind, until, reason, actor)
        values (${kind}, now() + ${forMs} * interval '1 millisecond', ${reason}, ${JSON.stringify(actor)}::jsonb)`.execute(
        db,
      );
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
