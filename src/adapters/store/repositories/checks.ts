/** When places are looked at although nothing is owed there. */
import { type Kysely, sql } from "kysely";
import type { CheckRepo, LowBudget } from "../../../core/store/checks.ts";
import { boundedJson } from "../../../lib/bounded-json.ts";
import type { Database } from "../schema/schema.ts";

const DUE = sql`t.removed_at is null and t.next_check_at <= now() and t.generation = t.settled_generation
  and t.kind <> 'manual'
  and exists (select from binding b where b.target_id = t.id and b.removed_at is null)`;

/** What a place told of itself, however much it told. */
const SEEN = { maxText: 1_024, maxItems: 200 };
const FAILURES = { maxText: 500, maxItems: 32 };

export function createCheckRepo(db: Kysely<Database>): CheckRepo {
  return {
    async due(limit) {
      const { rows } = await sql<{ id: string }>`
        select t.id from target t where ${DUE} order by t.next_check_at limit ${limit}`.execute(db);
      return rows.map(({ id }) => id);
    },

    async lateMs() {
      const { rows } = await sql<{ lateMs: number }>`
        select coalesce(extract(epoch from now() - min(t.next_check_at)) * 1000, 0)::float8 as "lateMs"
        from target t where ${DUE}`.execute(db);
      return rows[0]?.lateMs ?? 0;
    },

    async claim(targetId, everyMs, earlyMs = 0) {
      const { rows } = await sql<{ failedBefore: boolean }>`
        update target set next_check_at = now() + ${everyMs} * interval '1 millisecond'
        where id = ${targetId} and removed_at is null
          and next_check_at <= now() + ${earlyMs} * interval '1 millisecond'
        returning check_error_code is not null as "failedBefore"`.execute(db);
      return rows[0] ?? null;
    },

    async record(targetId, { error, laterMs }) {
      await sql`
        update target set checked_at = now(), check_error_code = ${error?.code ?? null},
          check_error_message = ${error?.message ?? null},
          next_check_at = greatest(next_check_at, now() + ${laterMs} * interval '1 millisecond')
        where id = ${targetId}`.execute(db);
    },

    async recordCopies(targetId, { copies, unread, shared }) {
      const seen = boundedJson({ copies, unread, shared }, SEEN);
      await sql`update target set copies = ${JSON.stringify(seen)}::jsonb where id = ${targetId}`.execute(db);
    },

    async claimTest(targetId, { everyMs, settlesMs }) {
      const { rows } = await sql`
        update target set tested_at = now() - random() * ${everyMs / 6} * interval '1 millisecond'
        where id = ${targetId} and removed_at is null
          and case when tested_at is null then created_at < now() - ${settlesMs} * interval '1 millisecond'
            else tested_at < now() - ${everyMs} * interval '1 millisecond' end
        returning id`.execute(db);
      return rows.length > 0;
    },

    async recordTest(targetId, failures, exposures) {
      const seen = exposures === null ? null : JSON.stringify(boundedJson(exposures, SEEN));
      await sql`
        update target set test_failures = ${JSON.stringify(boundedJson(failures, FAILURES))}::jsonb,
          exposures = coalesce(${seen}::jsonb, exposures)
        where id = ${targetId}`.execute(db);
    },

    async postpone(targetId, byMs) {
      await sql`
        update target set next_check_at = greatest(next_check_at, now() + ${byMs} * interval '1 millisecond')
        where id = ${targetId}`.execute(db);
    },

    async listOf(kind) {
      const { rows } = await sql<{ id: string }>`
        select t.id from target t
        where t.kind::text = ${kind} and t.removed_at is null and t.generation = t.settled_generation
          and exists (select from binding b where b.target_id = t.id and b.removed_at is null)
        order by t.id`.execute(db);
      return rows.map(({ id }) => id);
    },

    async healing(targetId) {
      const { rows } = await sql<{ id: string }>`
        select id from binding where target_id = ${targetId} and removed_at is null and drift = 'heal'`.execute(
        db,
      );
      return new Set(rows.map(({ id }) => id));
    },

    async healsWithin(actorId, withinMs) {
      const { rows } = await sql<{ id: string; count: number }>`
        select subject_id as id, count(*)::int as count from audit_entry
        where action = 'target.healed' and actor->>'id' = ${actorId}
          and at > now() - ${withinMs} * interval '1 millisecond'
        group by subject_id`.execute(db);
      return new Map(rows.map(({ id, count }) => [id, count]));
    },

    async lowBudgets(share) {
      const { rows } = await sql<LowBudget>`
        select split_part(key, ':', 1) as kind, remaining, limit_per_window as "limit",
          (extract(epoch from window_ends_at - now()) * 1000)::float8 as "endsInMs"
        from rate_budget where window_ends_at > now() and remaining < limit_per_window * ${share}::float8
        order by key`.execute(db);
      return rows;
    },

    async failures(targetIds) {
      const { rows } = await sql<{ targetId: string; code: string; message: string }>`
        select id as "targetId", check_error_code as code, coalesce(check_error_message, '') as message
        from target where ${targetIds === undefined ? sql`true` : sql`id = any(${targetIds})`} and removed_at is null and check_error_code is not null`.execute(
        db,
      );
      return rows;
    },

    async takeTurn(name) {
      const { rows } = await sql<{ taken: boolean }>`
        select pg_try_advisory_xact_lock(hashtextextended(${`turn ${name}`}, 0)) as taken`.execute(db);
      return rows[0]?.taken ?? false;
    },
  };
}
