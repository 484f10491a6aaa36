/**
 * Agents and the codes that they enrol with, what they received, the requests that were accepted, and the store's keys
 * that they pin. Expiry of codes is judged by the database's clock, and by what it shows once a lock was waited for.
 */
import { randomUUID } from "node:crypto";
import { type Kysely, sql } from "kysely";
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import type {
  AgentRecord,
  AgentRepo,
  Delivered,
  EndedAgent,
  EnrolmentRecord,
} from "../../../core/store/agents.ts";
import { type Database, jsonb } from "../schema/schema.ts";
import { CLOCK_AHEAD, createAgentClockRepo } from "./agent-clock.ts";

/** `least` passes over what is not known. */
const CONFIRM_UNTIL = sql`least(n.expires_at, a.confirm_until)`;

const RECORD = sql`
  select a.id, a.target_id as "targetId", t.name as target, e.name as environment, a.state,
    a.short_lived as "shortLived", a.sign_key as "signKey", a.encrypt_key as "encryptKey",
    a.challenge_hash as "challengeHash", a.facts, a.created_at as "createdAt", a.activated_at as "activatedAt",
    a.ended_at as "endedAt", a.last_seen_at as "lastSeenAt", a.enrolled_from as "enrolledFrom",
    case when a.state = 'pending' then ${CONFIRM_UNTIL} end as "confirmUntil", a.reported_epoch as "reportedEpoch",
    a.reported_generation as "reportedGeneration", a.reported_at as "reportedAt", a.report, ${CLOCK_AHEAD} as "clockAheadSeconds"
  from agent a join target t on t.id = a.target_id join environment e on e.id = t.environment_id
    join enrolment n on n.id = a.enrolment_id`;

const ENROLMENT = sql`
  select n.id, n.target_id as "targetId", t.name as target, e.name as environment,
    n.mac_key_sealed as "macKeySealed", n.reusable, n.replaces, n.actor, n.created_at as "createdAt",
    n.expires_at <= clock_timestamp() as expired, n.used_at as "usedAt", n.revoked_at as "revokedAt"
  from enrolment n join target t on t.id = n.target_id and t.removed_at is null
    join environment e on e.id = t.environment_id`;

/** One in that many accepted requests also clears away ids that could not come again anyway. */
const FORGET_ONE_IN = 256;
const FORGET_AT_ONCE = 10_000;
const TOUCH_SECONDS = 10;
/** Containers come and go: of identities that have ended the last ones are listed. */
const LISTED_ENDED = 200;
/** Entries on record about what one agent refuses or met. */
const TOLD_PER_HOUR = 20;

export function createAgentRepo(db: Kysely<Database>): AgentRepo {
  return {
    ...createAgentClockRepo(db),
    async invite({ id, targetId, lookupHash, macKeySealed, reusable, replaces, actor, livesMs }) {
      const { rows } = await sql<{ expiresAt: Date }>`
        insert into enrolment (id, target_id, lookup_hash, mac_key_sealed, reusable, replaces, actor, expires_at)
        values (${id}, ${targetId}, ${lookupHash}, ${macKeySealed}, ${reusable}, ${replaces}, ${jsonb(actor)}::jsonb,
          clock_timestamp() + ${livesMs} * interval '1 millisecond')
        returning expires_at as "expiresAt"`.execute(db);
      const [row] = rows;
      if (row === undefined) throw new Error("an insert that answers nothing");
      return row.expiresAt;
    },

    async findEnrolment(lookupHash) {
      const { rows } = await sql<EnrolmentRecord>`${ENROLMENT} where n.lookup_hash = ${lookupHash}`.execute(
        db,
      );
      return rows[0] ?? null;
    },

    async enrolmentOf(agentId) {
      const { rows } = await sql<EnrolmentRecord>`
        ${ENROLMENT} where n.id = (select enrolment_id from agent where id = ${agentId})`.execute(db);
      return rows[0] ?? null;
    },

    async cameBy(enrolmentId) {
      const { rows } = await sql<AgentRecord>`
        ${RECORD} where a.enrolment_id = ${enrolmentId} order by a.created_at, a.id limit 1`.execute(db);
      return rows[0] ?? null;
    },

    async contest(enrolmentId) {
      const { numAffectedRows } = await sql`
        update enrolment set contested_at = clock_timestamp()
        where id = ${enrolmentId} and contested_at is null`.execute(db);
      return numAffectedRows === 1n;
    },

    async useEnrolment(enrolmentId) {
      const { numAffectedRows } = await sql`
        update enrolment set used_at = coalesce(used_at, now())
        where id = ${enrolmentId} and revoked_at is null and expires_at > clock_timestamp()
          and (reusable or used_at is null)`.execute(db);
      return numAffectedRows === 1n;
    },

    async revokeEnrolments(targetId) {
      const { rows } = await sql<{ id: string }>`
        update enrolment set revoked_at = now()
        where target_id = ${targetId} and revoked_at is null and expires_at > clock_timestamp()
          and (reusable or used_at is null)
        returning id`.execute(db);
      return rows.length;
    },

    async add(agent) {
      const { targetId, enrolmentId, shortLived, signKey, encryptKey, challengeHash, facts } = agent;
      const { rows: added } = await sql<{ id: string }>`
        insert into agent (target_id, enrolment_id, state, short_lived, sign_key, encrypt_key, challenge_hash, facts,
          enrolled_from, confirm_until)
        values (${targetId}, ${enrolmentId}, 'pending', ${shortLived}, ${jsonb(signKey)}::jsonb,
          ${jsonb(encryptKey)}::jsonb, ${challengeHash}, ${jsonb(facts)}::jsonb, ${agent.enrolledFrom},
          clock_timestamp() + ${agent.livesMs} * interval '1 millisecond')
        on conflict ((sign_key ->> 'x')) do update set challenge_hash = excluded.challenge_hash
          where agent.enrolment_id = excluded.enrolment_id and agent.encrypt_key = excluded.encrypt_key
            and agent.state = 'pending'
        returning id`.execute(db);
      const id = added[0]?.id;
      if (id === undefined) {
        throw new LockstepError("ALREADY_EXISTS", "Cannot enrol: this key belongs to an agent already.");
      }
      return id;
    },

    async findBySignKey(signKey) {
      const { rows } = await sql<AgentRecord>`
        ${RECORD} where a.sign_key ->> 'x' = ${String(signKey["x"])}`.execute(db);
      return rows[0] ?? null;
    },

    async find(agentId) {
      const { rows } = await sql<AgentRecord>`${RECORD} where a.id = ${agentId}`.execute(db);
      return rows[0] ?? null;
    },

    async activeAt(targetIds) {
      if (targetIds.length === 0) return [];
      const { rows } = await sql<AgentRecord>`
        ${RECORD} where a.state = 'active' and a.target_id = any(${[...targetIds]}::uuid[])
        order by a.activated_at, a.id`.execute(db);
      return rows;
    },

    async pendingAt(targetId) {
      const { rows } = await sql<AgentRecord>`
        ${RECORD} where a.state = 'pending' and a.target_id = ${targetId} order by a.created_at, a.id`.execute(
        db,
      );
      return rows;
    },

    async activeIdsAt(targetIds) {
      if (targetIds.length === 0) return [];
      const { rows } = await sql<{ id: string }>`
        select id from agent where state = 'active' and target_id = any(${[...targetIds]}::uuid[])`.execute(
        db,
      );
      return rows.map(({ id }) => id);
    },

    async list({ environment }) {
      const { rows } = await sql<AgentRecord>`
        ${RECORD} where (${environment ?? null}::text is null or e.name = ${environment ?? null})
          and (a.state in ('pending', 'active') or a.id in (
            select id from agent where state in ('revoked', 'expired') order by ended_at desc limit ${LISTED_ENDED}))
        order by e.name, t.name, a.created_at, a.id`.execute(db);
      return rows;
    },

    async activate(agentId) {
      const { numAffectedRows } = await sql`
        update agent a set state = 'active', activated_at = now(), last_seen_at = now()
        from enrolment n
        where a.id = ${agentId} and a.state = 'pending' and n.id = a.enrolment_id and n.revoked_at is null
          and ${CONFIRM_UNTIL} > clock_timestamp()`.execute(db);
      return numAffectedRows === 1n;
    },

    async end(agentIds, state) {
      if (agentIds.length === 0) return [];
      const { rows } = await sql<{ id: string }>`
        update agent set state = ${state}, ended_at = now(), report = report - 'seen' - 'answers' - 'push'
        where id = any(${[...agentIds]}::uuid[]) and state in ('pending', 'active')
        returning id`.execute(db);
      return rows.map((row) => row.id);
    },

    async endLapsed(limit) {
      const { rows } = await sql<EndedAgent>`
        update agent a set state = 'expired', ended_at = now() from target t
        where t.id = a.target_id and a.state = 'pending' and a.id in (
          select a.id from agent a join enrolment n on n.id = a.enrolment_id
          where a.state = 'pending' and ${CONFIRM_UNTIL} <= clock_timestamp() limit ${limit})
        returning a.id, a.target_id as "targetId", t.name as target`.execute(db);
      return rows;
    },

    async endIdle(idleMs, limit) {
      const unseen = sql`coalesce(a.last_seen_at, a.created_at) < now() - ${idleMs} * interval '1 millisecond'`;
      const { rows } = await sql<EndedAgent>`
        update agent a set state = 'expired', ended_at = now() from target t
        where t.id = a.target_id and a.state = 'active' and ${unseen} and a.id in (
          select a.id from agent a where a.short_lived and a.state = 'active' and ${unseen}
          order by coalesce(a.last_seen_at, a.created_at) limit ${limit})
        returning a.id, a.target_id as "targetId", t.name as target`.execute(db);
      return rows;
    },

    async rememberRequest(tokenId, expiresAt) {
      const { numAffectedRows } = await sql`
        insert into agent_request (token_id, expires_at) values (${tokenId}, ${expiresAt})
        on conflict do nothing`.execute(db);
      if (Math.random() * FORGET_ONE_IN < 1) {
        await sql`
          delete from agent_request where token_id in (
            select token_id from agent_request where expires_at < now()
            limit ${FORGET_AT_ONCE} for update skip locked)`.execute(db);
      }
      return numAffectedRows === 1n;
    },

    async touch(agentId, facts) {
      const told = facts === null ? null : jsonb(facts);
      await sql`
        update agent set last_seen_at = now(), facts = coalesce(${told}::jsonb, facts)
        where id = ${agentId}
          and (last_seen_at is null or last_seen_at < now() - ${TOUCH_SECONDS} * interval '1 second'
            or coalesce(${told}::jsonb, facts) <> facts)`.execute(db);
    },

    async claimReport(agentId, forMs) {
      const claim = randomUUID();
      const { numAffectedRows } = await sql`
        update agent set reporting = ${claim}, reporting_until = now() + ${forMs} * interval '1 millisecond'
        where id = ${agentId} and (reporting_until is null or reporting_until < now())`.execute(db);
      return numAffectedRows === 1n ? claim : null;
    },

    async releaseReport(agentId, claim) {
      await sql`
        update agent set reporting = null, reporting_until = null
        where id = ${agentId} and reporting = ${claim}`.execute(db);
    },

    async takeAuditTurn(agentId) {
      const { numAffectedRows } = await sql`
        update agent set
          told_since = case when told_since > now() - interval '1 hour' then told_since else now() end,
          told = case when told_since > now() - interval '1 hour' then told + 1 else 1 end
        where id = ${agentId}
          and (told_since is null or told_since <= now() - interval '1 hour' or told < ${TOLD_PER_HOUR})`.execute(
        db,
      );
      return numAffectedRows === 1n;
    },

    async recordReport(agentId, { epoch, generation, content }) {
      await sql`
        update agent set last_seen_at = now(), reported_epoch = ${epoch}, reported_generation = ${generation},
          reported_at = now(), report = ${jsonb(content)}::jsonb
        where id = ${agentId}`.execute(db);
    },

    async recordDeliveries(agentId, delivered) {
      // Revoking waits for this, or this for it: nothing leaves for one that has ended meanwhile.
      const { rows } = await sql`
        select from agent where id = ${agentId} and state = 'active' for share`.execute(db);
      if (rows.length === 0)
        throw new LockstepError("AGENT_REVOKED", "Cannot answer: this agent was revoked meanwhile.");
      if (delivered.length === 0) return;
      await sql`
        insert into agent_delivery (agent_id, secret_id, version)
        select ${agentId}::uuid, d.secret_id, d.version
        from unnest(${delivered.map((one) => one.secretId)}::uuid[], ${delivered.map((one) => one.version)}::int[])
          as d (secret_id, version)
        on conflict do nothing`.execute(db);
    },

    async deliveries(agentId) {
      const { rows } = await sql<Delivered>`
        select d.secret_id as "secretId", s.name as secret, d.version, d.first_at as "firstAt"
        from agent_delivery d join secret s on s.id = d.secret_id
        where d.agent_id = ${agentId} order by s.name, d.version`.execute(db);
      return rows;
    },

    async key(name) {
      const { rows } = await sql<{ public: JsonObject; privateSealed: string }>`
        select public, private_sealed as "privateSealed" from store_key where name = ${name}`.execute(db);
      return rows[0] ?? null;
    },

    async addKey(name, key) {
      await sql`
        insert into store_key (name, public, private_sealed)
        values (${name}, ${jsonb(key.public)}::jsonb, ${key.privateSealed})
        on conflict do nothing`.execute(db);
    },
  };
}
