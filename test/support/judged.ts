/**
 * What is kept of each secret, target and binding equals what a judgement of everything says. With this after each step
 * of a story, the triggers that tell what changed are held to whatever the story does.
 */
import { type Kysely, sql } from "kysely";
import { expect } from "vitest";
import type { Database } from "../../src/adapters/store/schema/schema.ts";
import type { AppContext } from "../../src/app/base/context.ts";
import { judgeChanged } from "../../src/app/status/judge-changed.ts";

/** Before everything that happens in a story: so time alone changes nothing. */
const BEFORE = { now: () => new Date(0) };

export async function judgeStep(context: AppContext): Promise<void> {
  await judgeChanged({ ...context, clock: BEFORE });
}

export async function expectJudged(context: AppContext, db: Kysely<Database>): Promise<void> {
  await judgeStep(context);
  const kept = await judgements(db);
  await sql`insert into judgement_owed (kind, subject_id) select 'secret', id from secret`.execute(db);
  await sql`insert into judgement_owed (kind, subject_id) select 'target', id from target`.execute(db);
  await judgeStep(context);
  expect(kept).toEqual(await judgements(db));
}

async function judgements(db: Kysely<Database>): Promise<readonly unknown[]> {
  const { rows } = await sql`
    select j.kind, coalesce(s.name, t.name, bs.name || ' at ' || bt.name || ' ' || b.key) as about, j.state, j.noticed
    from judgement j left join secret s on j.kind = 'secret' and s.id = j.subject_id
      left join target t on j.kind = 'target' and t.id = j.subject_id
      left join binding b on b.id = j.subject_id
      left join secret bs on bs.id = b.secret_id left join target bt on bt.id = b.target_id
    order by j.kind, j.subject_id`.execute(db);
  return rows;
}
