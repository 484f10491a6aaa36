/** Whether the store may move anything: one that was set back only looks, until a person begins a new epoch. */
import { type Kysely, sql } from "kysely";
import { LockstepError } from "../../../core/errors.ts";
import { ENGINE_VERSION } from "../../../core/rollout/strategy.ts";
import { type SetBack, storeSetBack } from "../../../core/set-back.ts";
import type { Database } from "../schema/schema.ts";

/** For statements that find or take work. */
export const MAY_MOVE = sql`not exists (select from store_meta where set_back_at is not null)`;

/** For statements that find or take a target: what a newer release moves there, that release pushes. */
export const OURS_TO_PUSH = sql`not exists (
  select from rollout r join binding b on b.secret_id = r.secret_id and b.removed_at is null
  where r.state in ('running', 'stalled') and r.engine_version > ${ENGINE_VERSION} and b.target_id = target.id)`;

/** Of a store that was never set up, as in tests of parts: the first. */
export const EPOCH = sql<number>`coalesce((select epoch from store_meta), 1)`;

export async function setBackOf(db: Kysely<Database>): Promise<SetBack | null> {
  const { rows } = await sql<SetBack>`
    select m.set_back_at as at, m.set_back_target as "targetId", coalesce(t.name, '') as target,
      coalesce(e.name, '') as environment, m.set_back_seen as seen, m.set_back_by as by
    from store_meta m left join target t on t.id = m.set_back_target left join environment e on e.id = t.environment_id
    where m.set_back_at is not null`.execute(db);
  return rows[0] ?? null;
}

/** Throws STORE_SET_BACK. */
export async function assertMayMove(db: Kysely<Database>): Promise<void> {
  const setBack = await setBackOf(db);
  if (setBack !== null) throw storeSetBack(setBack);
}

export function noMeta(): LockstepError {
  return new LockstepError("INTERNAL", "The store's identity row is missing.");
}
