/** Targets as the loop sees them: leases with fencing, the owed model, what is settled. */
import { type Kysely, sql } from "kysely";
import { bindingOptionsOf } from "../../../core/binding-options.ts";
import type { JsonObject } from "../../../core/json.ts";
import { CONTENT_DIGITS } from "../../../core/order.ts";
import type {
  InFlight,
  Lease,
  LoopBinding,
  PrunableKey,
  TargetRecord,
  TargetRepo,
} from "../../../core/store/targets.ts";
import type { Database } from "../schema/schema.ts";
import { ms } from "./instants.ts";
import { assertHeld, leaseLost, settleBinding, settleStatement } from "./settlements.ts";
import { assertMayMove, EPOCH, MAY_MOVE, OURS_TO_PUSH } from "./standing.ts";
import { targetEvidence } from "./target-evidence.ts";

const RECORD = sql`
  t.id, t.environment_id as "environmentId", e.name as environment, t.name, t.kind, t.config,
  t.credentials_sealed as "credentialsSealed", t.destination, t.generation, t.settled_generation as "settledGeneration",
  t.attempts, t.in_flight_until as "inFlightUntil", t.gave_up_at as "gaveUpAt", t.intent_actor as "intentActor",
  t.error_code as "errorCode", t.error_message as "errorMessage", ${EPOCH} as epoch, ${ms(sql`t.look_asked_at`)} as "reportRequestedAtMs"`;

type LeaseRow = TargetRecord & { readonly token: number; readonly inFlight: InFlight };

const LEASED = sql`
  select ${RECORD}, t.lease_token as token,
    jsonb_build_object('leftMs',
      greatest(0, ceil(extract(epoch from coalesce(t.in_flight_until, now()) - now()) * 1000))::int,
      'digest', t.in_flight_digest, 'until', t.in_flight_until::text) as "inFlight"
  from leased t join environment e on e.id = t.environment_id`;

function toLease(row: LeaseRow | undefined): Lease | null {
  if (row === undefined) return null;
  const { token, inFlight, ...target } = row;
  return { target, token, inFlight };
}

export function createTargetRepo(db: Kysely<Database>): TargetRepo {
  return {
    async due(limit) {
      const { rows } = await sql<{ id: string }>`
        select id from target
        where generation <> settled_generation and removed_at is null and gave_up_at is null
          and (next_action_at is null or next_action_at <= now())
          and (lease_until is null or lease_until < now()) and ${MAY_MOVE} and ${OURS_TO_PUSH}
        order by row_number() over (partition by environment_id order by next_action_at nulls first),
          next_action_at nulls first
        limit ${limit}`.execute(db);
      return rows.map((row) => row.id);
    },

    async lock(targetId) {
      // Not `for update`: rows that refer to the target may be written meanwhile.
      await sql`select from target where id = ${targetId} for no key update`.execute(db);
    },

    async findById(targetId) {
      const { rows } = await sql<TargetRecord>`
        select ${RECORD} from target t join environment e on e.id = t.environment_id
        where t.id = ${targetId} and t.removed_at is null`.execute(db);
      return rows[0] ?? null;
    },

    async findAll(targetIds) {
      if (targetIds.length === 0) return [];
      const { rows } = await sql<TargetRecord>`
        select ${RECORD} from target t join environment e on e.id = t.environment_id
        where t.id = any(${[...targetIds]}::uuid[]) and t.removed_at is null`.execute(db);
      return rows;
    },

    async findByName(environment, name) {
      const { rows } = await sql<TargetRecord>`
        select ${RECORD} from target t join environment e on e.id = t.environment_id
        where e.name = ${environment} and t.name = ${name} and t.removed_at is null`.execute(db);
      return rows[0] ?? null;
    },

    async lease(targetId, owner, leaseMs) {
      const { rows } = await sql<LeaseRow>`
        with leased as (
          update target set lease_owner = ${owner}, lease_token = lease_token + 1,
            lease_until = now() + ${leaseMs} * interval '1 millisecond'
          where id = ${targetId} and removed_at is null and generation <> settled_generation and gave_up_at is null
            and (lease_until is null or lease_until < now())
            and (next_action_at is null or next_action_at <= now()) and ${MAY_MOVE} and ${OURS_TO_PUSH}
          returning *)
        ${LEASED}`.execute(db);
      return toLease(rows[0]);
    },

    async leaseForAgent(targetId, owner, leaseMs) {
      const { rows } = await sql<LeaseRow>`
        with leased as (
          update target set lease_owner = ${owner}, lease_token = lease_token + 1,
            lease_until = now() + ${leaseMs} * interval '1 millisecond'
          where id = ${targetId} and removed_at is null
          returning *)
        ${LEASED}`.execute(db);
      return toLease(rows[0]);
    },

    async renewLease(targetId, token, leaseMs) {
      const { numAffectedRows } = await sql`
        update target set lease_until = now() + ${leaseMs} * interval '1 millisecond'
        where id = ${targetId} and lease_token = ${token} and lease_until is not null`.execute(db);
      return numAffectedRows === 1n;
    },

    async markInFlight(targetId, token, { digest, inFlightMs }) {
      const { rows } = await sql<{ until: string | null }>`
        update target set
          in_flight_until = case when ${inFlightMs} = 0 then in_flight_until else
            greatest(coalesce(in_flight_until, now()), now() + ${inFlightMs} * interval '1 millisecond') end,
          in_flight_digest = case when ${inFlightMs} = 0 then in_flight_digest
            when coalesce(in_flight_until <= now(), true) or in_flight_digest = ${digest} then ${digest}
            when left(in_flight_digest, ${CONTENT_DIGITS}) = left(${digest}, ${CONTENT_DIGITS})
              then left(in_flight_digest, ${CONTENT_DIGITS}) end
        where id = ${targetId} and lease_token = ${token} and lease_until > now()
        returning in_flight_until::text as until`.execute(db);
      const [row] = rows;
      if (row === undefined) throw leaseLost(targetId);
      return row.until;
    },

    async distrust(targetId, inFlightMs, actor) {
      await sql`
        update target set generation = generation + 1, next_action_at = now(), attempts = 0, gave_up_at = null,
          error_code = null, error_message = null, intent_actor = ${JSON.stringify(actor)}::jsonb,
          in_flight_until = greatest(in_flight_until, now() + ${inFlightMs} * interval '1 millisecond'),
          in_flight_digest = null
        where id = ${targetId} and removed_at is null`.execute(db);
    },

    async settle(targetId, token, settlement) {
      const { numAffectedRows } = await settleStatement(targetId, token, settlement).execute(db);
      assertHeld(numAffectedRows, targetId);
    },

    async bumpGenerations(targetIds, actor) {
      if (targetIds.length === 0) return new Map();
      await assertMayMove(db);
      const { rows } = await sql<{ id: string; generation: number }>`
        update target set generation = generation + 1, next_action_at = now(), attempts = 0, gave_up_at = null,
          error_code = null, error_message = null, intent_actor = ${JSON.stringify(actor)}::jsonb
        where id = any(${targetIds}) returning id, generation`.execute(db);
      return new Map(rows.map((row) => [row.id, row.generation]));
    },

    async raiseGeneration(targetId, token, above) {
      const { rows } = await sql<{ generation: number }>`
        update target set generation = greatest(generation, ${above}::bigint) + 1
        where id = ${targetId} and lease_token = ${token} returning generation`.execute(db);
      const [row] = rows;
      if (row === undefined) throw leaseLost(targetId);
      return row.generation;
    },

    async beginEpoch(actor) {
      // Whoever holds a lease of the old epoch can neither record an intent nor a result any more.
      const { rows } = await sql<{ id: string }>`
        update target set generation = generation + 1, next_action_at = now(), attempts = 0, gave_up_at = null,
          error_code = null, error_message = null, intent_actor = ${JSON.stringify(actor)}::jsonb,
          lease_token = lease_token + 1, lease_owner = null, lease_until = null
        where removed_at is null returning id`.execute(db);
      return rows.map(({ id }) => id);
    },

    async leaseForRestore(targetId, owner, leaseMs) {
      const { rows } = await sql<LeaseRow>`
        with leased as (
          update target set lease_owner = ${owner}, lease_token = lease_token + 1, generation = generation + 1,
            lease_until = now() + ${leaseMs} * interval '1 millisecond'
          where id = ${targetId} and removed_at is null and generation = settled_generation
            and (lease_until is null or lease_until < now()) and ${MAY_MOVE} and ${OURS_TO_PUSH}
          returning *)
        ${LEASED}`.execute(db);
      return toLease(rows[0]);
    },

    async dropEvidence(targetId) {
      await sql`
        update binding set evidence = null, evidence_at = now()
        where target_id = ${targetId} and removed_at is null`.execute(db);
    },

    async standsAlone(targetId) {
      const { rows } = await sql<{ alone: boolean }>`
        select not exists (
          select 1 from binding b join binding other on other.secret_id = b.secret_id and other.removed_at is null
          where b.target_id = ${targetId} and b.removed_at is null and other.target_id <> b.target_id) as alone`.execute(
        db,
      );
      return rows[0]?.alone ?? false;
    },

    async resume(targetIds) {
      await sql`
        update target set gave_up_at = null, attempts = 0, next_action_at = now()
        where id = any(${targetIds}) and generation <> settled_generation`.execute(db);
    },

    async bindings(targetId) {
      const { rows } = await sql<Omit<LoopBinding, "options"> & { readonly options: JsonObject }>`
        select b.id, b.secret_id as "secretId", s.name as "secretName", b.placement, b.key,
          b.fallback_key as "fallbackKey", b.role, b.template, b.take_over as "takeOver", b.settled, b.settled_digest as "settledDigest", b.options,
          b.settled_epoch = ${EPOCH} as "settledInEpoch",
          b.aside, b.acceptance,
          ${ms(sql`b.looked_at`)} as "observedAtMs",
          exists (select 1 from ownership w where w.binding_id = b.id and w.slot = 'fallback' and not w.prune
            and w.written_generation is not null) as "wroteFallback",
          v.version as "currentVersion",
          case when r.id is null then null else jsonb_build_object('id', r.id, 'engineVersion', r.engine_version, 'strategy', r.strategy, 'phase', r.phase,
            'fromVersion', r.from_version, 'toVersion', r.to_version, 'held', r.held) end as rollout
        from binding b join secret s on s.id = b.secret_id
          left join secret_version v on v.secret_id = s.id and v.state = 'current'
          left join rollout r on r.secret_id = s.id and r.state in ('running', 'stalled')
        where b.target_id = ${targetId} and b.removed_at is null and s.removed_at is null
        order by b.placement, b.key`.execute(db);
      return rows.map((row) => ({ ...row, options: bindingOptionsOf(row.options) }));
    },

    async bindingTargets(secretId) {
      const { rows } = await sql<{ id: string }>`
        select distinct t.id from binding b join target t on t.id = b.target_id
        where b.secret_id = ${secretId} and b.removed_at is null and t.removed_at is null order by t.id`.execute(
        db,
      );
      return rows.map((row) => row.id);
    },

    async prunable(targetId) {
      const { rows } = await sql<PrunableKey>`
        select o.place, o.placement, o.key, o.slot, o.binding_id as "bindingId", b.secret_id as "secretId", b.template
        from ownership o join binding b on b.id = o.binding_id
        where o.target_id = ${targetId} and o.prune and o.written_generation is not null and b.removed_at is not null
        order by o.place, o.key`.execute(db);
      return rows;
    },

    async settleBindings(targetId, generation, bindings) {
      for (const binding of bindings) await settleBinding(db, targetId, generation, binding);
    },

    ...targetEvidence(db),

    async dropOwnership(places) {
      for (const { place, key } of places) {
        await sql`delete from ownership where place = ${place} and key = ${key} and prune`.execute(db);
      }
    },
  };
}
