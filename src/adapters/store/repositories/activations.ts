/** Restarts that units owe or that are under way. */
import { randomUUID } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { LockstepError } from "../../../core/errors.ts";
import type { UnitSpec } from "../../../core/ports/place.ts";
import {
  type ActivationRecord,
  type ActivationRepo,
  AGENT_UNIT,
  type OweActivation,
} from "../../../core/store/activations.ts";
import type { Database } from "../schema/schema.ts";
import { MAY_MOVE } from "./standing.ts";
import { unitChanges } from "./unit-changes.ts";

const RECORD = sql`
  a.id, a.lease_owner as claim, a.unit_id as "unitId", a.target_id as "targetId", a.state, a.digest, a.push_ids as "pushIds", a.attempts,
  a.known_ids as "knownIds", a.external_id as "externalId",
  coalesce(greatest(0, floor(extract(epoch from now() - a.requested_at) * 1000)), 0)::int as "requestedAgoMs",
  coalesce(a.deadline_at < now(), false) as "pastDeadline",
  jsonb_build_object('key', u.key, 'name', u.name, 'kind', u.kind, 'config', u.config,
    'followGroup', u.follow_group) as unit`;

/**
 * A unit's restart waits until no target that feeds it is being written or may still be hit by a late write, and every
 * push is resolved: the restart must begin after the write ended. Late at a settled target is only a copy of what stands.
 */
const QUIET_TARGETS = sql`
  not exists (select 1 from target_unit tu join target t on t.id = tu.target_id
    where tu.unit_id = a.unit_id and (t.lease_until > now() or (t.in_flight_until > now() and t.generation <> t.settled_generation)
      or exists (select 1 from push p where p.target_id = t.id and p.outcome in ('started', 'unknown'))))`;

const NONE_UNDER_WAY = sql`
  not exists (select 1 from activation other where other.unit_id = a.unit_id and other.state = 'requested')`;

/** Restarts that are kept of a unit whose agent tells of them: whoever tells of ever new ones fills no table. */
const MAX_REPORTED = 20;

/** What agents restart is not the workers' business. */
const BY_WORKERS = sql`
  not exists (select 1 from unit own where own.id = a.unit_id and own.kind = ${AGENT_UNIT})`;

export function createActivationRepo(db: Kysely<Database>): ActivationRepo {
  return {
    async report({ unit, targetId, digest, state, error, incarnation }) {
      const unitId = await upsertUnit(db, unit, targetId);
      await sql`select id from unit where id = ${unitId} for update`.execute(db);
      const { rows } = await sql<{ id: string; digest: string; state: string }>`
        select id, digest, state from activation where unit_id = ${unitId} order by created_at desc limit 1`.execute(
        db,
      );
      const newest = rows[0];
      const isOpen = state === "owed" || state === "requested";
      const id =
        newest?.digest === digest ? newest.id : await insertReported(db, { unitId, targetId, digest });
      await sql`
        update activation set state = ${state}, error_code = ${error?.code ?? null},
          error_message = ${error?.message ?? null}, requested_at = coalesce(requested_at, now()),
          ended_at = case when ${isOpen} then null when state = ${state} then coalesce(ended_at, now()) else now() end
        where id = ${id}`.execute(db);
      if (incarnation !== null) {
        await sql`
          update unit set incarnation = ${JSON.stringify(incarnation)}::jsonb, incarnation_seen_at = now()
          where id = ${unitId}`.execute(db);
      }
      return newest?.id !== id || newest.state !== state;
    },

    async keepReported(targetId, unitKeys) {
      await sql`
        with gone as (
          delete from target_unit tu using unit u
          where tu.target_id = ${targetId} and u.id = tu.unit_id and u.kind = ${AGENT_UNIT}
            and not u.key = any(${[...unitKeys]}::text[]) returning tu.unit_id),
        ended as (delete from activation a using gone where a.unit_id = gone.unit_id)
        delete from unit u using gone where u.id = gone.unit_id`.execute(db);
    },

    owe: (activation) => oweActivation(db, activation),

    async oweAgain(targetIds) {
      await sql`
        insert into activation (unit_id, target_id, state, digest, push_ids, next_action_at)
        select newest.unit_id, newest.target_id, 'owed', newest.digest, newest.push_ids, now()
        from (select distinct on (a.unit_id) a.* from activation a
          where exists (select 1 from target_unit tu join binding b on b.target_id = tu.target_id
            where tu.unit_id = a.unit_id and tu.target_id = any(${[...targetIds]}::uuid[])
              and b.removed_at is null and b.lacks)
          order by a.unit_id, a.created_at desc) newest
        where newest.state not in ('owed', 'requested')
        on conflict (unit_id) where state = 'owed' do nothing`.execute(db);
    },

    keepUnits: (now) => unitChanges(db, (activation) => oweActivation(db, activation)).keepUnits(now),

    async withdraw(pushId) {
      await sql`
        update activation set push_ids = array_remove(push_ids, ${pushId}::uuid)
        where state = 'owed' and ${pushId}::uuid = any(push_ids)`.execute(db);
      await sql`delete from activation where state = 'owed' and push_ids = '{}'`.execute(db);
    },

    async due(limit) {
      const { rows } = await sql<{ id: string }>`
        select a.id from activation a
        where a.state = 'owed' and a.next_action_at <= now() and (a.lease_until is null or a.lease_until < now())
          and ${BY_WORKERS} and ${NONE_UNDER_WAY} and ${QUIET_TARGETS} and ${MAY_MOVE}
        order by a.next_action_at limit ${limit}`.execute(db);
      return rows.map((row) => row.id);
    },

    async owedAtTarget(targetId) {
      const { rows } = await sql<{ id: string; inMs: number }>`
        select a.id, greatest(0, ceil(extract(epoch from a.next_action_at - now()) * 1000))::int as "inMs"
        from activation a join target_unit tu on tu.unit_id = a.unit_id
        where tu.target_id = ${targetId} and a.state = 'owed' and ${BY_WORKERS}`.execute(db);
      return rows;
    },

    async groupsDue(limit) {
      const { rows } = await sql<{ group: string }>`
        select distinct u.follow_group as "group" from activation a join unit u on u.id = a.unit_id
        where a.state = 'requested' and a.next_action_at <= now() and (a.lease_until is null or a.lease_until < now())
          and ${BY_WORKERS} and ${MAY_MOVE}
        limit ${limit}`.execute(db);
      return rows.map((row) => row.group);
    },

    async claim(activationId, owner, leaseMs) {
      const { rows } = await sql<ActivationRecord>`
        with claimed as (
          update activation a set lease_owner = ${claimOf(owner)}, lease_until = now() + ${leaseMs} * interval '1 millisecond'
          where a.id = ${activationId} and a.state = 'owed' and a.next_action_at <= now()
            and (a.lease_until is null or a.lease_until < now()) and ${BY_WORKERS} and ${NONE_UNDER_WAY}
            and ${QUIET_TARGETS} and ${MAY_MOVE}
          returning *)
        select ${RECORD} from claimed a join unit u on u.id = a.unit_id`.execute(db);
      return rows[0] ?? null;
    },

    async renewClaims(claimed, leaseMs) {
      const { numAffectedRows } = await sql`
        update activation set lease_until = now() + ${leaseMs} * interval '1 millisecond'
        where id = any(${claimed.map(({ id }) => id)}) and lease_owner = any(${claimed.map(({ claim }) => claim)})`.execute(
        db,
      );
      // Some of them may have ended meanwhile by our own hand.
      return (numAffectedRows ?? 0n) > 0n;
    },

    async markRequested({ id, claim }, { knownIds, deadlineMs, pollInMs }) {
      const { numAffectedRows } = await sql`
        update activation set state = 'requested', known_ids = ${knownIds}, external_id = null, requested_at = now(),
          deadline_at = now() + ${deadlineMs} * interval '1 millisecond',
          next_action_at = now() + ${pollInMs} * interval '1 millisecond'
        where id = ${id} and state = 'owed' and lease_owner = ${claim}`.execute(db);
      return numAffectedRows === 1n;
    },

    async recordExternalId({ id, claim }, externalId) {
      const { numAffectedRows } = await sql`
        update activation set external_id = ${externalId}
        where id = ${id} and state = 'requested' and lease_owner = ${claim}`.execute(db);
      assertClaimed(numAffectedRows, id);
    },

    async retry({ id: activationId, claim }, { inMs, spendsAttempt, error }) {
      // Another activation of the unit may have become owed meanwhile: this one is then part of it.
      const { numAffectedRows } = await sql`
        with other as (
          update activation o set push_ids = o.push_ids || a.push_ids
          from activation a
          where a.id = ${activationId} and a.lease_owner = ${claim} and a.state in ('owed', 'requested')
            and o.unit_id = a.unit_id and o.state = 'owed' and o.id <> a.id returning o.id)
        update activation set
          state = case when exists (select 1 from other) then 'superseded' else 'owed' end,
          ended_at = case when exists (select 1 from other) then now() else null end,
          attempts = attempts + ${spendsAttempt ? 1 : 0}, external_id = null, lease_until = null, lease_owner = null,
          next_action_at = now() + ${inMs} * interval '1 millisecond',
          error_code = ${error?.code ?? null}, error_message = ${error?.message ?? null}
        where id = ${activationId} and state in ('owed', 'requested') and lease_owner = ${claim}`.execute(db);
      assertClaimed(numAffectedRows, activationId);
    },

    async claimGroup(followGroup, owner, leaseMs) {
      const { rows } = await sql<ActivationRecord>`
        with claimed as (
          update activation a set lease_owner = ${claimOf(owner)}, lease_until = now() + ${leaseMs} * interval '1 millisecond'
          from unit u
          where u.id = a.unit_id and u.follow_group = ${followGroup} and a.state = 'requested'
            and (a.lease_until is null or a.lease_until < now()) and ${MAY_MOVE}
          returning a.*)
        select ${RECORD} from claimed a join unit u on u.id = a.unit_id order by a.created_at`.execute(db);
      return rows;
    },

    async pollAgain({ id, claim }, inMs) {
      const { numAffectedRows } = await sql`
        update activation set next_action_at = now() + ${inMs} * interval '1 millisecond', lease_until = null,
          lease_owner = null
        where id = ${id} and state = 'requested' and lease_owner = ${claim}`.execute(db);
      assertClaimed(numAffectedRows, id);
    },

    async end({ id, claim }, { state, error, incarnation }) {
      const { numAffectedRows } = await sql`
        update activation set state = ${state}, ended_at = now(), lease_until = null, lease_owner = null,
          error_code = ${error?.code ?? null}, error_message = ${error?.message ?? null}
        where id = ${id} and state in ('owed', 'requested') and lease_owner = ${claim}`.execute(db);
      assertClaimed(numAffectedRows, id);
      if (incarnation === undefined) return;
      await sql`
        update unit set incarnation = ${JSON.stringify(incarnation)}::jsonb, incarnation_seen_at = now()
        where id = (select unit_id from activation where id = ${id})`.execute(db);
    },

    async targetsOfUnit(unitId) {
      const { rows } = await sql<{ id: string }>`
        select t.id from target_unit tu join target t on t.id = tu.target_id
        where tu.unit_id = ${unitId} and t.removed_at is null`.execute(db);
      return rows.map((row) => row.id);
    },

    async reopen(targetIds) {
      await sql`
        update activation a set state = 'owed', attempts = 0, next_action_at = now(), ended_at = null
        where a.state = 'blocked' and a.unit_id in (select unit_id from target_unit where target_id = any(${targetIds}))
          and a.id = (select id from activation l where l.unit_id = a.unit_id order by created_at desc limit 1)`.execute(
        db,
      );
    },
  };
}

function claimOf(owner: string): string {
  return `${owner}/${randomUUID()}`;
}

function assertClaimed(affected: bigint | undefined, activationId: string): void {
  if (affected === 1n) return;
  throw new LockstepError("LEASE_LOST", "Another worker took over this restart.", {
    details: { activation: activationId },
  });
}

async function oweActivation(
  db: Kysely<Database>,
  { unit, targetId, digest, pushId, quietMs, maxQuietMs }: OweActivation,
): Promise<void> {
  const unitId = await upsertUnit(db, unit, targetId);
  await sql`
    insert into activation (unit_id, target_id, state, digest, push_ids, next_action_at)
    values (${unitId}, ${targetId}, 'owed', ${digest}, array[${pushId}]::uuid[],
      now() + ${quietMs} * interval '1 millisecond')
    on conflict (unit_id) where state = 'owed' do update set
      digest = excluded.digest, target_id = excluded.target_id, attempts = 0, error_code = null, error_message = null,
      push_ids = activation.push_ids || excluded.push_ids,
      next_action_at = greatest(now(), least(excluded.next_action_at,
        activation.created_at + ${maxQuietMs} * interval '1 millisecond'))`.execute(db);
}

/** Whatever of the unit was still open is part of this one. */
async function insertReported(
  db: Kysely<Database>,
  {
    unitId,
    targetId,
    digest,
  }: { readonly unitId: string; readonly targetId: string; readonly digest: string },
): Promise<string> {
  await sql`
    update activation set state = 'superseded', ended_at = now()
    where unit_id = ${unitId} and state in ('owed', 'requested')`.execute(db);
  const { rows } = await sql<{ id: string }>`
    insert into activation (unit_id, target_id, state, digest, next_action_at, created_at)
    values (${unitId}, ${targetId}, 'requested', ${digest}, now(), clock_timestamp()) returning id`.execute(
    db,
  );
  await sql`
    delete from activation where unit_id = ${unitId} and id not in (
      select id from activation where unit_id = ${unitId} order by created_at desc limit ${MAX_REPORTED})`.execute(
    db,
  );
  return rows[0]?.id ?? "";
}

async function upsertUnit(db: Kysely<Database>, unit: UnitSpec, targetId: string): Promise<string> {
  const { rows } = await sql<{ id: string }>`
    insert into unit (key, name, kind, config, follow_group)
    values (${unit.key}, ${unit.name}, ${unit.kind}, ${JSON.stringify(unit.config)}::jsonb, ${unit.followGroup})
    on conflict (key) do update set name = excluded.name, kind = excluded.kind, config = excluded.config,
      follow_group = excluded.follow_group
    returning id`.execute(db);
  const unitId = rows[0]?.id ?? "";
  await sql`
    insert into target_unit (target_id, unit_id) values (${targetId}, ${unitId}) on conflict do nothing`.execute(
    db,
  );
  return unitId;
}
