/** Renewals of issued tokens. Leases are of the database's clock; when something is due is the caller's. */
import { type Kysely, type RawBuilder, sql } from "kysely";
import type { JsonObject } from "../../../core/json.ts";
import { issuedPolicyOf } from "../../../core/policy.ts";
import type { RenewalCandidate, RenewalRepo, RenewalState } from "../../../core/store/renewals.ts";
import type { Database } from "../schema/schema.ts";
import { ms } from "./instants.ts";

interface Row extends Omit<RenewalCandidate, "newest" | "policy" | "state"> {
  readonly policy: JsonObject;
  readonly newestVersion: number | null;
  readonly newestAtMs: number | null;
  readonly newestExpiresAtMs: number | null;
  readonly madeVersion: number | null;
  readonly madeAtMs: number | null;
  readonly madeExpiresAtMs: number | null;
  readonly attempt: string | null;
  readonly attemptAtMs: number | null;
  readonly singleUseSecret: string | null;
  readonly singleUseVersion: number | null;
  readonly rotates: boolean | null;
  readonly refusals: number | null;
  readonly isTaken: boolean | null;
  readonly notBeforeMs: number | null;
  readonly failures: number | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly failedAtMs: number | null;
  readonly lostAtMs: number | null;
  readonly issue: RenewalState["issue"];
}

const ISSUED = sql`s.removed_at is null and s.policy -> 'issue' is not null`;

export function createRenewalRepo(db: Kysely<Database>): RenewalRepo {
  const select = async (where: RawBuilder<unknown>): Promise<readonly RenewalCandidate[]> => {
    const { rows } = await sql<Row>`
      select s.id, s.environment_id as "environmentId", e.name as environment, s.name, s.policy,
        v.version as "newestVersion", ${ms(sql`v.created_at`)} as "newestAtMs",
        ${ms(sql`v.expires_at`)} as "newestExpiresAtMs",
        r.made_version as "madeVersion", ${ms(sql`r.made_at`)} as "madeAtMs",
        ${ms(sql`r.made_expires_at`)} as "madeExpiresAtMs",
        r.attempt, ${ms(sql`r.attempt_at`)} as "attemptAtMs",
        r.single_use_secret as "singleUseSecret", r.single_use_version as "singleUseVersion",
        r.rotates or exists (
          select 1 from renewal x where x.single_use_secret = r.single_use_secret and x.rotates) as rotates,
        r.refusals, r.lease_until > clock_timestamp() as "isTaken",
        ${ms(sql`r.not_before`)} as "notBeforeMs", r.failures, r.error_code as "errorCode",
        r.error_message as "errorMessage", ${ms(sql`r.failed_at`)} as "failedAtMs",
        ${ms(sql`r.lost_at`)} as "lostAtMs", r.issue,
        (select u.version from secret_version u where u.secret_id = r.single_use_secret and u.state = 'current')
          as "singleUseCurrent",
        (select a.level from alert a where a.kind = 'renewal' and a.subject_id = s.id and a.resolved_at is null) as level
      from secret s join environment e on e.id = s.environment_id
        left join renewal r on r.secret_id = s.id
        left join lateral (
          select n.version, n.created_at, n.expires_at from secret_version n
          where n.secret_id = s.id and n.state in ('staged', 'current') order by n.version desc limit 1) v on true
      where ${ISSUED} and ${where}
      order by v.expires_at nulls first, s.id`.execute(db);
    return rows.map(candidateOf);
  };
  return {
    candidates: ({ environment, secretIds } = {}) =>
      select(
        sql`${environment === undefined ? sql`true` : sql`e.name = ${environment}`}
          and ${secretIds === undefined ? sql`true` : sql`s.id = any(${secretIds})`}`,
      ),

    find: async (secretId) => (await select(sql`s.id = ${secretId}`))[0] ?? null,

    async lock(secretId) {
      // Of no other: a queue may name what never was.
      await sql`
        insert into renewal (secret_id) select s.id from secret s where s.id = ${secretId} and ${ISSUED}
        on conflict do nothing`.execute(db);
      await sql`select 1 from renewal where secret_id = ${secretId} for update`.execute(db);
      return (await select(sql`s.id = ${secretId}`))[0] ?? null;
    },

    async isUsedUpElsewhere(secretId, singleUseSecretId) {
      const { rows } = await sql`
        select 1 from renewal where single_use_secret = ${singleUseSecretId} and secret_id <> ${secretId}
          and attempt is not null and (lease_until > clock_timestamp()
            or exists (select 1 from renewal x where x.single_use_secret = ${singleUseSecretId} and x.rotates))
        limit 1`.execute(db);
      return rows.length > 0;
    },

    async askedLately(origin) {
      await sql`select pg_advisory_xact_lock(hashtextextended(${`renewal ${origin}`}, 0))`.execute(db);
      const { rows } = await sql<{ count: number }>`
        select count(*)::int as count from renewal
        where origin = ${origin} and asked_at > clock_timestamp() - interval '1 minute'`.execute(db);
      return rows[0]?.count ?? 0;
    },

    async heldUntilMs(origin) {
      const { rows } = await sql<{ until: number | null }>`
        select ${ms(sql`max(not_before)`)} as until from renewal
        where origin = ${origin} and error_code = 'ISSUER_LIMITED'`.execute(db);
      return rows[0]?.until ?? null;
    },

    async begin(secretId, { id, issue, origin, singleUse, owner, leaseMs }) {
      await sql`
        update renewal set attempt = ${id}, attempt_at = clock_timestamp(), asked_at = clock_timestamp(),
          rotates = rotates and coalesce(issue = ${JSON.stringify(issue)}::jsonb, true),
          refusals = case when issue is not distinct from ${JSON.stringify(issue)}::jsonb
            and single_use_secret is not distinct from ${singleUse?.secretId ?? null}
            and single_use_version is not distinct from ${singleUse?.version ?? null} then refusals else 0 end,
          issue = ${JSON.stringify(issue)}::jsonb, origin = ${origin},
          single_use_secret = ${singleUse?.secretId ?? null}, single_use_version = ${singleUse?.version ?? null},
          lease_owner = ${owner}, lease_until = clock_timestamp() + ${leaseMs} * interval '1 millisecond',
          lost_at = null
        where secret_id = ${secretId}`.execute(db);
    },

    async sawRotation(secretId) {
      // An earlier release that runs beside this one reads the other word for it.
      await sql`update renewal set rotates = true, reusable = false where secret_id = ${secretId}`.execute(
        db,
      );
    },

    async succeed(secretId, attempt, { version, atMs, expiresAtMs }) {
      const { numAffectedRows } = await sql`
        update renewal set attempt = null, attempt_at = null, lease_owner = null, lease_until = null,
          made_version = ${version}, made_at = ${instant(atMs)}, made_expires_at = ${instant(expiresAtMs)},
          reusable = not rotates, refusals = 0, not_before = null, failures = 0, error_code = null, error_message = null,
          failed_at = null, lost_at = null
        where secret_id = ${secretId} and attempt = ${attempt}`.execute(db);
      return numAffectedRows === 1n;
    },

    async fail(secretId, attempt, { failed, notBeforeMs, counts, isLost, isRefusal }) {
      // An attempt that is not told of stays: its answer may still come.
      const ended =
        attempt === null
          ? sql``
          : sql`attempt = null, attempt_at = null, lease_owner = null, lease_until = null,`;
      const { numAffectedRows } = await sql`
        update renewal set ${ended}
          not_before = ${instant(notBeforeMs)}, failures = failures + ${counts ? 1 : 0},
          refusals = refusals + ${isRefusal ? 1 : 0}, error_code = ${failed.code},
          error_message = ${failed.message}, failed_at = ${instant(failed.atMs)},
          lost_at = ${isLost ? sql`coalesce(lost_at, ${instant(failed.atMs)})` : sql`lost_at`}
        where secret_id = ${secretId} and ${attempt === null ? sql`true` : sql`attempt = ${attempt}`}`.execute(
        db,
      );
      return numAffectedRows === 1n;
    },

    async postpone(secretId, notBeforeMs) {
      await sql`update renewal set not_before = ${instant(notBeforeMs)} where secret_id = ${secretId}`.execute(
        db,
      );
    },

    async wake(environmentId, secretName) {
      await sql`
        update renewal r set not_before = null, refusals = 0,
          lost_at = case when r.refusals > 0 then null else r.lost_at end
        from secret s
        where s.id = r.secret_id and s.environment_id = ${environmentId} and r.failures > 0
          and (r.error_code = 'ISSUER_REFUSED' or r.refusals > 0) and position(${secretName} in (s.policy -> 'issue')::text) > 0`.execute(
        db,
      );
    },

    async slowestActivation(secretId) {
      const { rows } = await sql<{ unit: string; ms: number }>`
        select u.name as unit, ${ms(sql`a.ended_at`)} - ${ms(sql`a.requested_at`)} as ms
        from activation a join unit u on u.id = a.unit_id
        where a.state = 'succeeded' and a.requested_at is not null and a.ended_at > now() - interval '30 days'
          and exists (select 1 from binding b where b.target_id = a.target_id and b.secret_id = ${secretId}
            and b.removed_at is null)
        order by a.ended_at - a.requested_at desc limit 1`.execute(db);
      return rows[0] ?? null;
    },
  };
}

function instant(atMs: number | null): RawBuilder<unknown> {
  return atMs === null ? sql`null::timestamptz` : sql`to_timestamp(${atMs / 1_000})`;
}

function candidateOf({
  newestVersion,
  newestAtMs,
  newestExpiresAtMs,
  madeVersion,
  madeAtMs,
  madeExpiresAtMs,
  attempt,
  attemptAtMs,
  singleUseSecret,
  singleUseVersion,
  rotates,
  refusals,
  isTaken,
  notBeforeMs,
  failures,
  errorCode,
  errorMessage,
  failedAtMs,
  lostAtMs,
  issue,
  policy,
  ...secret
}: Row): RenewalCandidate {
  const made =
    madeVersion === null ? null : { version: madeVersion, atMs: madeAtMs ?? 0, expiresAtMs: madeExpiresAtMs };
  return {
    ...secret,
    policy: issuedPolicyOf(policy),
    newest:
      newestVersion === null
        ? null
        : made?.version === newestVersion
          ? { version: newestVersion, madeAtMs: made.atMs, expiresAtMs: made.expiresAtMs }
          : { version: newestVersion, madeAtMs: newestAtMs ?? 0, expiresAtMs: newestExpiresAtMs },
    state: {
      made,
      attempt: attempt === null ? null : { id: attempt, atMs: attemptAtMs ?? 0 },
      singleUse:
        singleUseSecret === null || singleUseVersion === null
          ? null
          : { secretId: singleUseSecret, version: singleUseVersion },
      rotates: rotates ?? false,
      refusals: refusals ?? 0,
      isTaken: isTaken ?? false,
      notBeforeMs,
      failures: failures ?? 0,
      failed:
        errorCode === null ? null : { code: errorCode, message: errorMessage ?? "", atMs: failedAtMs ?? 0 },
      lostAtMs,
      issue,
    },
  };
}
