/** What is counted for /metrics, in one statement over what is now: rows of targets, and small indexes of all else. */
import { type Kysely, type RawBuilder, sql } from "kysely";
import { AGENT_UNIT } from "../../../core/store/activations.ts";
import { AGES, type LevelRepo, type StoreLevels, TIMES_LEFT } from "../../../core/store/levels.ts";
import type { Database } from "../schema/schema.ts";

const [MINUTE, HOUR, DAY] = [60, 3_600, 86_400];
const AGE_BOUNDS = [MINUTE, 10 * MINUTE, HOUR, DAY, 7 * DAY];
const LEFT_BOUNDS = [0, HOUR, DAY, 7 * DAY, 30 * DAY];

/** One of the rows that all parts of the statement have in common. */
interface Row {
  readonly what: keyof StoreLevels;
  readonly labels: Readonly<Record<string, string>>;
  readonly count: number;
  readonly seconds: number | null;
}

export function createLevelRepo(db: Kysely<Database>): LevelRepo {
  return {
    async read() {
      const { rows } = await sql<Row>`
        with live as materialized (
          select kind, generation <> settled_generation as owed, gave_up_at, owed_since, checked_at, next_action_at,
            lease_until
          from target where removed_at is null)
        ${part("targets", {
          labels: {
            kind: sql`kind`,
            state: sql`case when gave_up_at is not null then 'gave_up' when owed then 'owed' else 'settled' end`,
          },
          from: sql`live`,
        })}
        union all ${part("owed", {
          labels: { kind: sql`kind`, age: ageOf(sql`owed_since`) },
          seconds: oldest(sql`owed_since`),
          from: sql`live where owed`,
        })}
        union all ${part("checks", {
          labels: { kind: sql`kind`, age: ageOf(sql`checked_at`) },
          seconds: oldest(sql`checked_at`),
          from: sql`live`,
        })}
        union all ${part("activations", {
          labels: { kind: sql`u.kind`, state: sql`a.state` },
          seconds: oldest(sql`a.created_at`),
          from: sql`activation a join unit u on u.id = a.unit_id where a.state in ('owed', 'requested', 'blocked')`,
        })}
        union all ${part("rollouts", {
          labels: { phase: sql`phase`, state: sql`state`, age: ageOf(sql`phase_started_at`) },
          seconds: oldest(sql`phase_started_at`),
          from: sql`rollout where state in ('running', 'stalled')`,
        })}
        union all ${part("tokens", {
          labels: { of: sql`'issued'`, left: leftOf(sql`expires_at`) },
          seconds: first(sql`expires_at`),
          from: sql`secret_version v where state = 'current' and expires_at is not null
            and exists (select from secret s where s.id = v.secret_id and s.removed_at is null)`,
        })}
        union all ${part("tokens", {
          labels: { of: sql`'api'`, left: leftOf(sql`expires_at`) },
          seconds: first(sql`expires_at`),
          // What ended long ago was left to end, and is no news.
          from: sql`api_token where revoked_at is null and expires_at is not null
            and expires_at > now() - interval '1 day'`,
        })}
        union all ${part("alerts", {
          labels: { kind: sql`kind`, level: sql`level` },
          seconds: oldest(sql`opened_at`),
          from: sql`alert where resolved_at is null`,
        })}
        union all ${part("agentReports", {
          labels: { age: ageOf(sql`reported_at`) },
          seconds: oldest(sql`reported_at`),
          from: sql`agent where state = 'active'`,
        })}
        union all ${part("agentContacts", {
          labels: { age: ageOf(sql`last_seen_at`) },
          seconds: oldest(sql`last_seen_at`),
          from: sql`agent where state = 'active'`,
        })}
        union all ${part("due", {
          labels: { job: sql`'reconcile'` },
          seconds: oldest(sql`coalesce(next_action_at, owed_since)`),
          from: sql`live where owed and gave_up_at is null and (next_action_at is null or next_action_at <= now())
            and (lease_until is null or lease_until < now())`,
        })}
        union all ${part("due", {
          labels: { job: sql`case state when 'owed' then 'activate' else 'follow' end` },
          seconds: oldest(sql`next_action_at`),
          from: sql`activation a where state in ('owed', 'requested') and next_action_at <= now()
            and (lease_until is null or lease_until < now())
            and exists (select from unit u where u.id = a.unit_id and u.kind <> ${AGENT_UNIT})`,
        })}
        union all ${part("due", {
          labels: { job: sql`'advance'` },
          seconds: oldest(sql`next_action_at`),
          from: sql`rollout where state in ('running', 'stalled') and next_action_at <= now()`,
        })}`.execute(db);
      return levelsOf(rows);
    },
  };
}

function part(
  what: keyof StoreLevels,
  given: {
    readonly labels: Readonly<Record<string, RawBuilder<unknown>>>;
    readonly seconds?: RawBuilder<unknown>;
    readonly from: RawBuilder<unknown>;
  },
): RawBuilder<unknown> {
  const names = Object.keys(given.labels);
  const values = Object.values(given.labels).map((label, index) => sql`${label} as ${labelAt(index)}`);
  const numbers = names.map((_, index) => sql.lit(index + 1));
  const pairs = names.map((name, index) => sql`${sql.lit(name)}, ${labelAt(index)}`);
  // Labels are put together once for each group, not for each row.
  return sql`select ${sql.lit(what)}::text as what, jsonb_build_object(${sql.join(pairs)}) as labels, count, seconds
    from (select ${sql.join(values)}, count(*)::int as count, (${given.seconds ?? sql`null`})::float8 as seconds
      from ${given.from} group by ${sql.join(numbers)}) grouped`;
}

function labelAt(index: number): RawBuilder<unknown> {
  return sql.ref(`label_${index}`);
}

/** Never below 0: a clock that was set back says nothing. */
function oldest(since: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`greatest(0, extract(epoch from now() - min(${since})))`;
}

function first(end: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`extract(epoch from min(${end}) - now())`;
}

function ageOf(since: RawBuilder<unknown>): RawBuilder<unknown> {
  return classOf(sql`(now() - ${since})`, AGE_BOUNDS, AGES);
}

function leftOf(end: RawBuilder<unknown>): RawBuilder<unknown> {
  return classOf(sql`(${end} - now())`, LEFT_BOUNDS, TIMES_LEFT);
}

/** `names`: one for each bound in seconds, one for what is beyond them, and one for what is not known, where that may be. */
function classOf(
  lasts: RawBuilder<unknown>,
  bounds: readonly number[],
  names: readonly string[],
): RawBuilder<unknown> {
  const within = bounds.map(
    (bound, index) => sql`when ${lasts} <= interval '${sql.raw(String(bound))} seconds' then ${name(index)}`,
  );
  function name(index: number): RawBuilder<unknown> {
    return sql.lit(names[index] ?? "");
  }
  return sql`case ${sql.join(within, sql` `)} when ${lasts} is null then ${name(bounds.length + 1)}
    else ${name(bounds.length)} end`;
}

function levelsOf(rows: readonly Row[]): StoreLevels {
  const of = <Name extends keyof StoreLevels>(name: Name): StoreLevels[Name] =>
    rows
      .filter(({ what }) => what === name)
      .map(({ labels, count, seconds }) => ({ ...labels, count, seconds })) as unknown as StoreLevels[Name];
  return {
    targets: of("targets"),
    owed: of("owed"),
    checks: of("checks"),
    activations: of("activations"),
    rollouts: of("rollouts"),
    tokens: of("tokens"),
    alerts: of("alerts"),
    agentReports: of("agentReports"),
    agentContacts: of("agentContacts"),
    due: of("due"),
  };
}
