/** Rollouts, their members and gates. */
import { type Kysely, type RawBuilder, sql } from "kysely";
import { bindingOptionsOf } from "../../../core/binding-options.ts";
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import { rolloutOptionsOf } from "../../../core/rollout/options.ts";
import { ENGINE_VERSION } from "../../../core/rollout/strategy.ts";
import { AGENT_UNIT } from "../../../core/store/activations.ts";
import type { RolloutMemberRow, RolloutRecord, RolloutRepo } from "../../../core/store/rollouts.ts";
import type { Database } from "../schema/schema.ts";
import { ms } from "./instants.ts";

const RECORD = sql`
  r.id, r.secret_id as "secretId", s.name as "secretName", e.name as environment, r.from_version as "fromVersion",
  r.to_version as "toVersion", r.strategy, r.phase, r.state, r.engine_version as "engineVersion", r.reason, r.options,
  r.actor, r.held, r.urgent, r.rollback_of as "rollbackOf", ${ms(sql`clock_timestamp()`)} as "nowMs",
  ${ms(sql`r.phase_started_at`)} as "phaseStartedAtMs", ${ms(sql`r.fresh_from`)} as "freshFromMs",
  ${ms(sql`r.ended_at`)} as "endedAtMs"`;

const SOURCE = sql`rollout r join secret s on s.id = r.secret_id join environment e on e.id = s.environment_id`;

type Stored<Row> = Omit<Row, "options"> & { readonly options: JsonObject };

export function createRolloutRepo(db: Kysely<Database>): RolloutRepo {
  const record = async (where: RawBuilder<unknown>): Promise<RolloutRecord | null> => {
    const { rows } = await sql<Stored<RolloutRecord>>`select ${RECORD} from ${SOURCE} where ${where}`.execute(
      db,
    );
    const [row] = rows;
    return row === undefined ? null : { ...row, options: rolloutOptionsOf(row.options) };
  };
  return {
    async start(rollout) {
      const { rows } = await sql<{ id: string }>`
        insert into rollout (secret_id, from_version, to_version, strategy, phase, state, engine_version, options, actor,
          urgent, rollback_of)
        values (${rollout.secretId}, ${rollout.fromVersion}, ${rollout.toVersion}, ${rollout.strategy}, ${rollout.phase},
          'running', ${rollout.engineVersion}, ${JSON.stringify(rollout.options)}::jsonb,
          ${JSON.stringify(rollout.actor)}::jsonb, ${rollout.urgent ?? false}, ${rollout.rollbackOf ?? null})
        returning id`.execute(db);
      const id = rows[0]?.id;
      if (id === undefined) throw new LockstepError("INTERNAL", "A rollout was not recorded.");
      return id;
    },

    async lock(rolloutId) {
      return await record(sql`r.id = ${rolloutId} for update of r`);
    },

    async find(rolloutId) {
      return await record(sql`r.id = ${rolloutId}`);
    },

    async openOf(secretId) {
      return await record(sql`r.secret_id = ${secretId} and r.state in ('running', 'stalled')`);
    },

    async lastOf(secretId) {
      return await record(
        sql`r.secret_id = ${secretId} and r.ended_at is not null order by r.ended_at desc, r.started_at desc limit 1`,
      );
    },

    async movableAtTarget(targetId) {
      const { rows } = await sql<{ id: string }>`
        select distinct r.id from rollout r join binding b on b.secret_id = r.secret_id and b.removed_at is null
        where b.target_id = ${targetId} and r.state in ('running', 'stalled')
          and not exists (
            select 1 from binding o join target t on t.id = o.target_id
            where o.secret_id = r.secret_id and o.removed_at is null and not o.optional and t.removed_at is null
              and t.generation <> t.settled_generation and t.gave_up_at is null and t.attempts = 0
              and (t.next_action_at is null or t.next_action_at <= now() or t.lease_until > now()))
          and not exists (
            select 1 from binding o join target_unit tu on tu.target_id = o.target_id
              join activation a on a.unit_id = tu.unit_id and a.state in ('owed', 'requested') and a.error_code is null
              join unit u on u.id = a.unit_id
            where o.secret_id = r.secret_id and o.removed_at is null and not o.optional and u.kind <> ${AGENT_UNIT})`.execute(
        db,
      );
      return rows.map((row) => row.id);
    },

    async due(limit) {
      const { rows } = await sql<{ id: string }>`
        select id from rollout
        where state in ('running', 'stalled') and next_action_at <= now() and engine_version <= ${ENGINE_VERSION}
        order by next_action_at limit ${limit}`.execute(db);
      return rows.map((row) => row.id);
    },

    async candidates(secretId) {
      const { rows } = await sql<Stored<RolloutMemberRow>>`
        select t.name as target, t.kind as "targetKind", t.config as "targetConfig", b.key, b.role, b.optional, b.options
        from binding b join target t on t.id = b.target_id and t.removed_at is null
        where b.secret_id = ${secretId} and b.removed_at is null order by t.name, b.key`.execute(db);
      return rows.map((row) => ({ ...row, options: bindingOptionsOf(row.options) }));
    },

    async size(rolloutId) {
      const { rows } = await sql<{ size: number }>`
        select count(*)::int as size from rollout r join binding b on b.secret_id = r.secret_id and b.removed_at is null
        where r.id = ${rolloutId}`.execute(db);
      return rows[0]?.size ?? 0;
    },

    async members(rolloutId) {
      const { rows } = await sql<Stored<RolloutMemberRow>>`
        select b.id as "bindingId", t.id as "targetId", t.name as target, t.kind as "targetKind",
          t.config as "targetConfig", b.key, b.role, b.optional, b.options, b.settled, b.evidence,
          ${ms(sql`greatest(b.settled_at, b.created_at, (select max(a.ended_at) from target_unit tu
            join lateral (select ended_at from activation where unit_id = tu.unit_id and ended_at is not null
              order by ended_at desc limit 1) a on true where tu.target_id = t.id))`)} as "changedAtMs",
          ${ms(sql`b.looked_at`)} as "observedAtMs", b.look_reason as "observedReason", b.lacks, b.lives, b.acceptance, b.used,
          t.generation <> t.settled_generation as owed, t.gave_up_at is not null as "gaveUp",
          t.error_message as "errorMessage", g.required,
          case when b.aside ->> 'rolloutId' = r.id::text then b.aside end as aside,
          not exists (select 1 from push_item i where i.binding_id = b.id and i.version = r.to_version
            and i.action = 'set') as adopted,
          coalesce((select jsonb_agg(jsonb_build_object('unit', u.name, 'state', a.state,
              'errorMessage', a.error_message))
            from target_unit tu join unit u on u.id = tu.unit_id
              join lateral (select state, error_message from activation where unit_id = u.id
                order by created_at desc limit 1) a on true
            where tu.target_id = t.id), '[]') as activations
        from rollout r join binding b on b.secret_id = r.secret_id and b.removed_at is null
          join target t on t.id = b.target_id and t.removed_at is null
          left join rollout_gate g on g.rollout_id = r.id and g.binding_id = b.id and g.phase = r.phase
        where r.id = ${rolloutId} order by t.name, b.key`.execute(db);
      return rows.map((row) => ({ ...row, options: bindingOptionsOf(row.options) }));
    },

    async fixGate(rolloutId, bindingId, phase, required) {
      await sql`
        insert into rollout_gate (rollout_id, binding_id, phase, required)
        values (${rolloutId}, ${bindingId}, ${phase}, ${required}) on conflict do nothing`.execute(db);
    },

    async meetGate(rolloutId, bindingId, phase, evidence) {
      await sql`
        update rollout_gate set met_at = coalesce(met_at, now()), evidence = ${evidence}
        where rollout_id = ${rolloutId} and binding_id = ${bindingId} and phase = ${phase}
          and (met_at is null or evidence is distinct from ${evidence})`.execute(db);
    },

    async setPhase(rolloutId, phase) {
      await sql`update rollout set phase = ${phase}, phase_started_at = clock_timestamp(), fresh_from = null where id = ${rolloutId}`.execute(
        db,
      );
    },

    async setFresh(rolloutId, from) {
      await sql`
        update rollout set fresh_from = case when ${from === "now"} then clock_timestamp() else null end
        where id = ${rolloutId}`.execute(db);
    },

    async setHeld(rolloutId, held) {
      await sql`update rollout set held = ${held} where id = ${rolloutId}`.execute(db);
    },

    async setOptions(rolloutId, options) {
      await sql`update rollout set options = ${JSON.stringify(options)}::jsonb where id = ${rolloutId}`.execute(
        db,
      );
    },

    async setUrgent(rolloutId) {
      await sql`update rollout set urgent = true where id = ${rolloutId}`.execute(db);
    },

    async setState(rolloutId, state, reason) {
      await sql`
        update rollout set state = ${state}, reason = ${reason},
          ended_at = case when ${state} in ('done', 'failed', 'abandoned') then now() else null end
        where id = ${rolloutId}`.execute(db);
    },

    async lookAgain(rolloutId, inMs) {
      await sql`
        update rollout set next_action_at = now() + ${inMs} * interval '1 millisecond' where id = ${rolloutId}`.execute(
        db,
      );
    },
  };
}
