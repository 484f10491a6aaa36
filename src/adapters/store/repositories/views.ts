/** What people look at: one statement per view. */
import { type Kysely, type RawBuilder, sql } from "kysely";
import type { JsonObject } from "../../../core/json.ts";
import { policyOf } from "../../../core/policy.ts";
import type {
  BindingRow,
  PushRow,
  RolloutRow,
  SecretRow,
  TargetRow,
  ViewRepo,
} from "../../../core/store/views.ts";
import type { Database } from "../schema/schema.ts";
import { instantText, isAfter } from "./instants.ts";
import { EPOCH } from "./standing.ts";

export function createViewRepo(db: Kysely<Database>): ViewRepo {
  return {
    async secrets({ environment, secretIds, limit, after }) {
      const { rows } = await sql<Omit<SecretRow, "policy"> & { readonly policy: JsonObject }>`
        select s.id, s.name, e.name as environment, v.version as "currentVersion",
          v.state_changed_at as "currentSince", v.created_at as "currentMadeAt", v.expires_at as "expiresAt", s.policy
        from secret s join environment e on e.id = s.environment_id
          left join secret_version v on v.secret_id = s.id and v.state = 'current'
        where s.removed_at is null and ${is(sql`e.name`, environment)} and ${isAmong(sql`s.id`, secretIds)}
          and ${after === undefined ? sql`true` : sql`(e.name, s.name) > (${after[0]}, ${after[1]})`}
        order by e.name, s.name limit ${limit ?? null}`.execute(db);
      return rows.map((row) => ({ ...row, policy: policyOf(row.policy) }));
    },

    bindings: ({ environment, secretIds }) =>
      bindings(db, sql`${is(sql`e.name`, environment)} and ${isAmong(sql`s.id`, secretIds)}`),

    bindingsWithin: ({ secretIds, targetIds, bindingIds }) =>
      bindings(
        db,
        sql`(b.secret_id = any(${secretIds}) or b.target_id = any(${targetIds}) or b.id = any(${bindingIds}))`,
      ),

    async pushes({ environment, target, secret, limit, after }) {
      const { rows } = await sql<PushRow>`
        select p.id, t.name as target, p.generation, p.attempt, p.actor, p.started_at as "startedAt",
          ${instantText(sql`p.started_at`)} as "startedAtText",
          p.ended_at as "endedAt", p.outcome, p.evidence, p.error_code as "errorCode",
          p.error_message as "errorMessage",
          coalesce((select jsonb_agg(jsonb_build_object('secret', s.name, 'key', i.key, 'slot', i.slot,
              'version', i.version, 'action', i.action, 'replaced', i.replaced) order by i.ordinal)
            from push_item i left join secret s on s.id = i.secret_id where i.push_id = p.id), '[]') as items
        from push p join target t on t.id = p.target_id join environment e on e.id = t.environment_id
        where ${is(sql`e.name`, environment)} and ${is(sql`t.name`, target)}
          and ${
            secret === undefined
              ? sql`true`
              : sql`exists (select 1 from push_item i
            join secret s on s.id = i.secret_id where i.push_id = p.id and s.name = ${secret})`
          }
          and ${isAfter(sql`p.started_at`, sql`p.id`, after)}
        order by p.started_at desc, p.id limit ${limit}`.execute(db);
      return rows;
    },

    async rollouts({ id, environment, secret, secretIds, open, limit }) {
      const { rows } = await sql<RolloutRow>`
        select r.id, r.secret_id as "secretId", s.name as "secretName", e.name as environment,
          r.from_version as "fromVersion", r.to_version as "toVersion", r.strategy, r.phase, r.state, r.reason, r.actor,
          r.started_at as "startedAt", r.phase_started_at as "phaseStartedAt", r.ended_at as "endedAt"
        from rollout r join secret s on s.id = r.secret_id join environment e on e.id = s.environment_id
        where ${isId(sql`r.id`, id)} and ${isAmong(sql`r.secret_id`, secretIds)} and ${is(sql`e.name`, environment)} and ${is(sql`s.name`, secret)}
          and ${open === true ? sql`r.state in ('running', 'stalled')` : sql`true`}
        order by r.started_at desc, r.id limit ${limit}`.execute(db);
      return rows;
    },

    async targets({ environment, targetIds }) {
      const { rows } = await sql<TargetRow>`
        select t.id, t.name, e.name as environment, t.kind,
          (select count(*) from binding b where b.target_id = t.id and b.removed_at is null)::int as bindings,
          t.generation <> t.settled_generation as owed, t.gave_up_at is not null as "gaveUp",
          t.error_code as "errorCode", t.error_message as "errorMessage", t.next_action_at as "nextActionAt",
          t.checked_at as "checkedAt", t.next_check_at as "nextCheckAt",
          coalesce(t.copies -> 'unread', '[]') as "unreadCopies",
          coalesce(t.copies -> 'shared', '[]') as "sharedFiles",
          coalesce(t.test_failures, '[]') as "testFailures", coalesce(t.exposures, '[]') as exposures
        from target t join environment e on e.id = t.environment_id
        where t.removed_at is null and ${is(sql`e.name`, environment)} and ${isAmong(sql`t.id`, targetIds)}
        order by e.name, t.name`.execute(db);
      return rows;
    },
  };
}

async function bindings(db: Kysely<Database>, which: RawBuilder<unknown>): Promise<readonly BindingRow[]> {
  const { rows } = await sql<BindingRow>`
        select b.id, b.secret_id as "secretId", t.name as target, t.id as "targetId", b.placement, b.key, b.role,
          b.settled, b.settled_epoch = ${EPOCH} as "settledInEpoch", b.settled_at as "settledAt", b.evidence, b.acceptance, b.used_by as "usedBy", v.version as "currentVersion",
          case when r.id is null then null else jsonb_build_object('strategy', r.strategy, 'phase', r.phase,
            'fromVersion', r.from_version, 'toVersion', r.to_version, 'held', r.held) end as rollout,
          o.found, o.version as "foundVersion", o.reason as "foundReason", o.observed_at as "observedAt",
          t.gave_up_at is not null as "targetGaveUp", t.error_message as "targetErrorMessage",
          t.error_code as "targetErrorCode",
          case when b.lacks and r.id is null
            and not exists (select 1 from target_unit nt join lateral (select 1 from activation
                where unit_id = nt.unit_id and state in ('owed', 'requested') limit 1) n on true
              where nt.target_id = t.id)
            and not exists (select 1 from target_unit nt join lateral (select ended_at from activation
                where unit_id = nt.unit_id and ended_at is not null and state = 'succeeded'
                order by ended_at desc limit 1) n on n.ended_at > b.looked_at
              where nt.target_id = t.id)
            then coalesce(b.look_reason, 'a running process holds something else') end as lacking,
          coalesce((select jsonb_agg(c) from jsonb_array_elements(t.copies -> 'copies') c
            where c ->> 'bindingId' = b.id::text), '[]') as copies,
          coalesce(a.activations, '[]') as activations, b.removed_at is not null as leftover
        from binding b join secret s on s.id = b.secret_id join environment e on e.id = s.environment_id
          join target t on t.id = b.target_id
          left join secret_version v on v.secret_id = s.id and v.state = 'current'
          left join rollout r on r.secret_id = s.id and r.state in ('running', 'stalled')
          left join observation o on o.binding_id = b.id and o.slot = 'primary'
          left join lateral (select jsonb_agg(jsonb_build_object('unit', u.name, 'state', newest.state,
              'errorMessage', newest.error_message) order by u.name) as activations
            from target_unit tu join unit u on u.id = tu.unit_id
              join lateral (select state, error_message from activation where unit_id = u.id
                order by created_at desc limit 1) newest on true
            where tu.target_id = t.id) a on true
        where ${which} and (
          (b.removed_at is null and s.removed_at is null and t.removed_at is null)
          or exists (select 1 from ownership w where w.binding_id = b.id and b.removed_at is not null
            and w.prune and w.written_generation is not null))
        order by t.name, b.placement, b.key`.execute(db);
  return rows;
}

function isAmong(column: RawBuilder<unknown>, ids: readonly string[] | undefined): RawBuilder<boolean> {
  return ids === undefined ? sql`true` : sql`${column} = any(${ids})`;
}

function is(column: RawBuilder<unknown>, value: string | undefined): RawBuilder<boolean> {
  return value === undefined ? sql`true` : sql`${column} = ${value}`;
}

/** As text: what is no uuid matches nothing instead of failing. */
function isId(column: RawBuilder<unknown>, value: string | undefined): RawBuilder<boolean> {
  return value === undefined ? sql`true` : sql`${column}::text = ${value}`;
}
