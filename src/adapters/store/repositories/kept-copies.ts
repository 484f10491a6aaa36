/** Copies for restoring on hosts. */
import { type Kysely, sql } from "kysely";
import type { CopyToDiscard, KeptCopy, KeptCopyRepo } from "../../../core/store/kept-copies.ts";
import type { Database } from "../schema/schema.ts";

/** A restart that was just given up may still put its copy back: it does so at once, or not at all. */
const RESTORING = sql`interval '2 minutes'`;

/** A target that was removed or moved does not reach its old host any more; the row stays for a week, so that somebody reads of it. */
const REMOVED_KEPT = sql`interval '7 days'`;

export function createKeptCopyRepo(db: Kysely<Database>): KeptCopyRepo {
  return {
    async keep(targetId, placements) {
      for (const placement of placements) {
        await sql`
          insert into kept_copy (target_id, placement, destination)
          select id, ${placement}, destination from target where id = ${targetId}
          on conflict (target_id, placement) do update set destination = excluded.destination, kept_at = now(),
            owed_at = null, attempts = 0, next_attempt_at = now(), error_message = null`.execute(db);
      }
    },

    async found(targetId, placements) {
      for (const placement of placements) {
        await sql`
          insert into kept_copy (target_id, placement, destination)
          select id, ${placement}, destination from target where id = ${targetId}
          on conflict (target_id, placement) do nothing`.execute(db);
      }
    },

    async placementsOf(targetId) {
      const { rows } = await sql<{ placement: string }>`
        select distinct placement from binding where target_id = ${targetId} order by placement`.execute(db);
      return rows.map(({ placement }) => placement);
    },

    async oweOfSecret(secretId) {
      await sql`
        update kept_copy k set owed_at = coalesce(k.owed_at, now()), next_attempt_at = now()
        where exists (select from binding b
          where b.secret_id = ${secretId} and b.target_id = k.target_id and b.placement = k.placement)`.execute(
        db,
      );
    },

    async oweAt(targetId, placement) {
      await sql`
        update kept_copy set owed_at = coalesce(owed_at, now()), next_attempt_at = now()
        where target_id = ${targetId} and placement = ${placement}`.execute(db);
    },

    async isAnyOwed(targetId) {
      const { rows } = await sql<{ owed: boolean }>`
        select exists (select from kept_copy where target_id = ${targetId} and owed_at is not null) as owed`.execute(
        db,
      );
      return rows[0]?.owed ?? false;
    },

    async due(limit, targetId) {
      const { rows } = await sql<CopyToDiscard>`
        select k.target_id as "targetId", k.destination, array_agg(k.placement order by k.placement) as placements,
          min(k.attempts) as attempts
        from kept_copy k
        where k.next_attempt_at <= now() and (${targetId ?? null}::uuid is null or k.target_id = ${targetId ?? null}::uuid)
          and (k.owed_at is not null or not exists (
            select from activation a join target_unit tu on tu.unit_id = a.unit_id
            where tu.target_id = k.target_id and (a.state in ('owed', 'requested')
              or (a.state = 'blocked' and a.ended_at > now() - ${RESTORING} and not exists (
                select from activation later where later.unit_id = a.unit_id and later.created_at > a.created_at)))))
        group by k.target_id, k.destination order by min(k.next_attempt_at) limit ${limit}`.execute(db);
      return rows;
    },

    async discarded(targetId, placements) {
      await sql`
        delete from kept_copy where target_id = ${targetId} and placement = any(${[...placements]})`.execute(
        db,
      );
    },

    async tryLater(targetId, placements, { inMs, error }) {
      await sql`
        update kept_copy set attempts = attempts + 1, error_message = ${error},
          next_attempt_at = now() + ${inMs} * interval '1 millisecond'
        where target_id = ${targetId} and placement = any(${[...placements]})`.execute(db);
      await sql`
        delete from kept_copy k using target t
        where t.id = k.target_id and t.id = ${targetId} and (t.removed_at is not null or t.destination <> k.destination)
          and k.kept_at < now() - ${REMOVED_KEPT}`.execute(db);
    },

    async list(secretId) {
      const { rows } = await sql<KeptCopy>`
        select k.target_id as "targetId", t.name as target, e.name as environment, k.placement as file, k.kept_at as "keptAt",
          k.owed_at as "owedAt", k.error_message as error
        from kept_copy k join target t on t.id = k.target_id join environment e on e.id = t.environment_id
        where ${secretId ?? null}::uuid is null or exists (select from binding b
          where b.secret_id = ${secretId ?? null}::uuid and b.target_id = k.target_id and b.placement = k.placement)
        order by e.name, t.name, k.placement`.execute(db);
      return rows;
    },
  };
}
