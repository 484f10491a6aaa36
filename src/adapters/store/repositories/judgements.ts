/** What is said of secrets, targets and bindings, and what is owed another judgement. */
import { type Kysely, sql } from "kysely";
import type { Judgement, JudgementRepo } from "../../../core/store/judgements.ts";
import { groupBy } from "../../../lib/group-by.ts";
import type { Database } from "../schema/schema.ts";

type Subject = { readonly kind: Judgement["kind"]; readonly id: string };

export function createJudgementRepo(db: Kysely<Database>): JudgementRepo {
  return {
    async takeOwed(limit) {
      const { rows: owed } = await sql<Subject>`
        delete from judgement_owed where id in (select id from judgement_owed order by id limit ${limit})
        returning kind, subject_id as id`.execute(db);
      const { rows: due } = await sql<Subject>`
        select kind, subject_id as id from judgement where judge_at <= now() order by judge_at limit ${limit}`.execute(
        db,
      );
      const of = groupBy([...owed, ...due], ({ kind }) => kind);
      const ids = (kind: Judgement["kind"]) => [...new Set((of.get(kind) ?? []).map(({ id }) => id))];
      return { secretIds: ids("secret"), targetIds: ids("target"), bindingIds: ids("binding") };
    },

    async record({ secretIds, targetIds, bindingIds }, judgements) {
      const rows = judgements.map(({ isNoticed, secretId, staysMs, targetId, ...one }) => ({
        ...one,
        secret_id: secretId,
        target_id: targetId,
        noticed: isNoticed,
        stays_ms: staysMs,
      }));
      // A day is spread, so that what was judged together is not judged together again for ever.
      await sql`
        insert into judgement as j (subject_id, kind, secret_id, target_id, state, noticed, judge_at)
        select r.id, r.kind, r.secret_id, r.target_id, r.state, r.noticed,
          now() + r.stays_ms * (case when r.stays_ms >= 86400000 then 0.75 + random() / 4 else 1 end)
            * interval '1 millisecond'
        from jsonb_to_recordset(${JSON.stringify(rows)}::jsonb) as r (id uuid, kind text, secret_id uuid, target_id uuid,
          state text, noticed boolean, stays_ms float8)
        on conflict (subject_id) do update set state = excluded.state, noticed = excluded.noticed,
          judge_at = excluded.judge_at,
          state_since = case when j.state is distinct from excluded.state then now() else j.state_since end`.execute(
        db,
      );
      await sql`
        delete from judgement
        where (subject_id = any(${[...secretIds, ...targetIds, ...bindingIds]})
            or secret_id = any(${secretIds}) or target_id = any(${targetIds}))
          and not exists (select from unnest(${judgements.map(({ id }) => id)}::uuid[]) as k (id) where k.id = subject_id)`.execute(
        db,
      );
    },

    async isOwed() {
      const { rows } = await sql`select 1 from judgement_owed limit 1`.execute(db);
      return rows.length > 0;
    },

    async noticed() {
      const { rows } = await sql<{ secretId: string | null; targetId: string | null }>`
        select distinct secret_id as "secretId", target_id as "targetId" from judgement where noticed`.execute(
        db,
      );
      return {
        secretIds: [...new Set(rows.flatMap(({ secretId }) => secretId ?? []))],
        targetIds: [...new Set(rows.flatMap(({ targetId }) => targetId ?? []))],
      };
    },
  };
}
