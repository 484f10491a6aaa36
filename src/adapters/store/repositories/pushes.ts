/** The record of pushes: intents before the write, ends after it, and what was seen. */
import { type Kysely, sql } from "kysely";
import { LockstepError } from "../../../core/errors.ts";
import type { NewObservation, OpenPush, PushItem, PushRepo } from "../../../core/store/pushes.ts";
import { boundedLine } from "../../../lib/visible-text.ts";
import type { Database } from "../schema/schema.ts";

const MAX_REASON = 500;

export function createPushRepo(db: Kysely<Database>): PushRepo {
  return {
    async start(push) {
      const { rows } = await sql<{ id: string }>`
        insert into push (target_id, epoch, generation, attempt, lease_token, actor, digest)
        values (${push.targetId}, ${push.epoch}, ${push.generation}, ${push.attempt}, ${push.leaseToken},
          ${JSON.stringify(push.actor)}::jsonb, ${push.digest}) returning id`.execute(db);
      const id = rows[0]?.id;
      if (id === undefined) throw new LockstepError("INTERNAL", "A push was not recorded.");
      await insertItems(db, id, push.items);
      return id;
    },

    async replaceItems(pushId, items) {
      // An agent's report and a worker may both be at it: one after the other.
      await sql`select from push where id = ${pushId} for update`.execute(db);
      await sql`delete from push_item where push_id = ${pushId}`.execute(db);
      await insertItems(db, pushId, items);
    },

    async end(pushId, end) {
      await sql`
        update push set outcome = ${end.outcome}, evidence = coalesce(${end.evidence}, evidence),
          error_code = ${end.error?.code ?? null}, error_message = ${end.error?.message ?? null},
          ended_at = clock_timestamp()
        where id = ${pushId} and outcome in ('started', 'unknown')`.execute(db);
    },

    async open(targetId) {
      const { rows } = await sql<OpenPush>`
        select id, epoch, generation, digest, outcome from push
        where target_id = ${targetId} and outcome in ('started', 'unknown') order by started_at, id`.execute(
        db,
      );
      return rows;
    },

    async openSets(targetId, generation) {
      const { rows } = await sql<{ placement: string; key: string }>`
        select distinct i.placement, i.key from push p join push_item i on i.push_id = p.id
        where p.target_id = ${targetId} and p.generation = ${generation} and p.outcome in ('started', 'unknown')
          and i.action = 'set'`.execute(db);
      return rows;
    },

    async changedAllAtOnce(targetId, { epoch, generation }) {
      const { rows } = await sql<{ once: boolean }>`
        select count(distinct p.id) = 1
          and bool_and(i.replaced is not null and i.replaced <> coalesce('v' || i.version, 'absent')) as once
        from push p join push_item i on i.push_id = p.id
        where p.target_id = ${targetId} and p.epoch = ${epoch} and p.generation = ${generation}
          and i.action in ('set', 'unset')`.execute(db);
      return rows[0]?.once === true;
    },

    async isAt(pushId, targetId) {
      const { rows } = await sql`
        select from push where id = ${pushId} and target_id = ${targetId}`.execute(db);
      return rows.length > 0;
    },

    async raiseEvidence(pushIds, evidence) {
      if (pushIds.length === 0) return;
      await sql`
        update push set evidence = ${evidence}
        where id = any(${pushIds}) and outcome in ('succeeded', 'unchanged')`.execute(db);
    },

    async acknowledged(targetId, generation) {
      const { rows } = await sql<{ id: string }>`
        select id from push where target_id = ${targetId} and generation = ${generation}
          and outcome in ('succeeded', 'unchanged') and evidence = 'acknowledged'`.execute(db);
      return rows.map((row) => row.id);
    },

    observe: (observations, agoMs = 0) => recordObservations(db, observations, agoMs),
  };
}

/**
 * One row for each binding and slot: it says what is there now, and since when each observation found the same. The
 * table's triggers note what changed. Rows are locked in one order, so that two writers never wait for each other.
 */
async function recordObservations(
  db: Kysely<Database>,
  observations: readonly NewObservation[],
  agoMs: number,
): Promise<void> {
  if (observations.length === 0) return;
  const rows = new Map(
    observations.map((seen) => [
      `${seen.bindingId} ${seen.slot}`,
      {
        binding_id: seen.bindingId,
        slot: seen.slot,
        push_id: seen.pushId,
        found: seen.found,
        version: seen.version,
        // What places say of themselves ends up here, whoever looked.
        reason: seen.reason === null ? null : boundedLine(seen.reason, MAX_REASON),
      },
    ]),
  );
  await sql`
    insert into observation as before
      (binding_id, slot, push_id, found, version, reason, first_seen_at, observed_at)
    select binding_id, slot, push_id, found, version, reason, at.at, at.at
    from jsonb_to_recordset(${JSON.stringify([...rows.values()])}::jsonb) as seen (binding_id uuid, slot text,
        push_id uuid, found text, version int, reason text),
      (select clock_timestamp() - ${agoMs} * interval '1 millisecond' as at) at
    order by binding_id, slot
    on conflict (binding_id, slot) do update set push_id = excluded.push_id, found = excluded.found,
      version = excluded.version, reason = excluded.reason, observed_at = excluded.observed_at,
      first_seen_at = case
        when (before.found, before.version) is not distinct from (excluded.found, excluded.version)
        then before.first_seen_at else excluded.observed_at end`.execute(db);
}

async function insertItems(db: Kysely<Database>, pushId: string, items: readonly PushItem[]): Promise<void> {
  if (items.length === 0) return;
  await sql`
    insert into push_item (push_id, ordinal, binding_id, secret_id, placement, key, slot, version, action, replaced)
    select ${pushId}, ordinal, binding_id, secret_id, placement, key, slot, version, action, replaced
    from jsonb_to_recordset(${JSON.stringify(items.map(toRow))}::jsonb) as item (ordinal int,
      binding_id uuid, secret_id uuid, placement text, key text, slot text, version int, action text,
      replaced text)`.execute(db);
}

function toRow(item: PushItem, ordinal: number) {
  return {
    ordinal,
    binding_id: item.bindingId,
    secret_id: item.secretId,
    placement: item.placement,
    key: item.key,
    slot: item.slot,
    version: item.version,
    action: item.action,
    replaced: item.replaced,
  };
}
