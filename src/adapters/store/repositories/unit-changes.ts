/** What becomes of restarts when a target has other units than before. */
import { type Kysely, sql } from "kysely";
import { type ActivationRepo, AGENT_UNIT, type RetiredUnit } from "../../../core/store/activations.ts";
import type { Database } from "../schema/schema.ts";

interface Unfinished {
  readonly digest: string;
  readonly pushIds: readonly string[];
}

export function unitChanges(
  db: Kysely<Database>,
  owe: ActivationRepo["owe"],
): Pick<ActivationRepo, "keepUnits"> {
  return {
    async keepUnits({ targetId, units, quietMs, maxQuietMs }) {
      const keys = units.map(({ key }) => key);
      const { rows: gone } = await sql<{ unitId: string; name: string }>`
        delete from target_unit tu using unit u
        where u.id = tu.unit_id and tu.target_id = ${targetId} and u.key <> all(${keys}::text[])
        returning tu.unit_id as "unitId", u.name`.execute(db);
      const retired: RetiredUnit[] = [];
      const unfinished: Unfinished[] = [];
      for (const { unitId, name } of gone) {
        unfinished.push(...(await unfinishedOf(db, targetId, unitId)));
        retired.push({ unitId, name, ended: await giveUp(db, targetId, unitId) });
      }
      const newest = unfinished.at(-1);
      const pushId = newest?.pushIds.at(-1);
      if (newest === undefined || pushId === undefined) return retired;
      for (const unit of units) {
        if (unit.kind === AGENT_UNIT) continue;
        await owe({ unit, targetId, digest: newest.digest, pushId, quietMs, maxQuietMs });
      }
      return retired;
    },
  };
}

/** What the target wrote and its unit has not started with: owed, under way, or blocked. */
async function unfinishedOf(
  db: Kysely<Database>,
  targetId: string,
  unitId: string,
): Promise<readonly Unfinished[]> {
  const { rows } = await sql<Unfinished>`
    select a.digest, array(select p.id from push p where p.id = any(a.push_ids) and p.target_id = ${targetId}
      order by p.started_at) as "pushIds"
    from activation a
    where a.unit_id = ${unitId} and (a.state in ('owed', 'requested') or (a.state = 'blocked' and not exists (
      select from activation later where later.unit_id = a.unit_id and later.created_at > a.created_at)))
    order by a.created_at`.execute(db);
  return rows.filter(({ pushIds }) => pushIds.length > 0);
}

/** Answers how many restarts have ended with it. */
async function giveUp(db: Kysely<Database>, targetId: string, unitId: string): Promise<number> {
  const { rows } = await sql<{ id: string }>`
    select t.id from target_unit tu join target t on t.id = tu.target_id
    where tu.unit_id = ${unitId} and t.removed_at is null order by t.id limit 1`.execute(db);
  const heir = rows[0]?.id;
  if (heir !== undefined) {
    // A restart is asked for through a target that has the unit.
    await sql`
      update activation set target_id = ${heir}, lease_until = null, lease_owner = null
      where unit_id = ${unitId} and target_id = ${targetId} and state in ('owed', 'requested')`.execute(db);
    return 0;
  }
  const { numAffectedRows } = await sql`
    update activation set state = 'superseded', ended_at = now(), lease_until = null, lease_owner = null,
      error_code = null, error_message = 'its unit is configured no more'
    where unit_id = ${unitId} and state in ('owed', 'requested', 'blocked')`.execute(db);
  return Number(numAffectedRows ?? 0n);
}
