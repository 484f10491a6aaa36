/** Configuration's side of targets, bindings and ownership: intent is written here, the loop settles it. */
import { type Kysely, sql } from "kysely";
import { LockstepError } from "../../../core/errors.ts";
import type {
  BindingContent,
  Claim,
  ConfigRepo,
  OwnedKey,
  StoredBinding,
  StoredSecret,
  StoredTarget,
} from "../../../core/store/config.ts";
import { type Database, jsonb } from "../schema/schema.ts";

/** Any number that nothing else locks: "lockstep config" has no other meaning. */
const CONFIG_LOCK = 7_420_001;

const OWNED = sql`
  select o.place, o.key, o.placement, o.slot, o.target_id as "targetId", t.name as target,
    te.name as "targetEnvironment", o.binding_id as "bindingId", s.name as secret, se.name as "secretEnvironment",
    b.removed_at is null as live, o.written_generation is not null as written, o.prune
  from ownership o join target t on t.id = o.target_id join environment te on te.id = t.environment_id
    join binding b on b.id = o.binding_id join secret s on s.id = b.secret_id
    join environment se on se.id = s.environment_id`;

export function createConfigRepo(db: Kysely<Database>): ConfigRepo {
  return {
    async lockConfig() {
      await sql`select pg_advisory_xact_lock(${CONFIG_LOCK})`.execute(db);
    },

    async snapshot(environments) {
      const names = [...environments];
      const known = await sql<{ name: string }>`
        select name from environment where name = any(${names}) order by name`.execute(db);
      const owned = await sql<OwnedKey>`
        ${OWNED} where (te.name = any(${names}) or se.name = any(${names})) and t.removed_at is null
        order by o.place, o.key`.execute(db);
      return {
        environments: known.rows.map((row) => row.name),
        secrets: await selectSecrets(db, names),
        targets: await selectTargets(db, names),
        bindings: await selectBindings(db, names),
        owned: owned.rows,
      };
    },

    async ownersAt(places) {
      if (places.length === 0) return [];
      const { rows } = await sql<OwnedKey>`
        ${OWNED} where o.place = any(${[...places]}) order by o.place, o.key`.execute(db);
      return rows;
    },

    async createTarget({ environmentId, name, kind, config, destination }) {
      const { rows } = await sql<{ id: string }>`
        insert into target (environment_id, name, kind, config, destination)
        values (${environmentId}, ${name}, ${kind}, ${jsonb(config)}::jsonb, ${destination})
        on conflict (environment_id, name) do update set kind = excluded.kind, config = excluded.config,
          destination = excluded.destination, credentials_sealed = null, removed_at = null, attempts = 0,
          gave_up_at = null, error_code = null, error_message = null
        where target.removed_at is not null
        returning id`.execute(db);
      const id = rows[0]?.id;
      if (id === undefined)
        throw new LockstepError("ALREADY_EXISTS", `Cannot create the target ${name}: it already exists.`);
      return id;
    },

    async updateTarget(targetId, { kind, config, destination }) {
      // A run under way worked with the former address: what it finds out must not be recorded for the new one.
      await sql`
        update target set kind = ${kind}, config = ${jsonb(config)}::jsonb, destination = ${destination},
          tested_at = null, lease_token = lease_token + 1, lease_until = null, lease_owner = null
        where id = ${targetId}`.execute(db);
    },

    async setCredentials(targetId, credentialsSealed) {
      await sql`update target set credentials_sealed = ${credentialsSealed} where id = ${targetId}`.execute(
        db,
      );
    },

    async replaceCredentials(targetId, from, to) {
      const { numAffectedRows } = await sql`
        update target set credentials_sealed = ${to}
        where id = ${targetId} and credentials_sealed = ${from} and removed_at is null`.execute(db);
      return numAffectedRows === 1n;
    },

    async removeTarget(targetId) {
      // The credential goes at once: nothing will be opened with it again.
      await sql`
        update target set removed_at = now(), credentials_sealed = null, settled_generation = generation,
          next_action_at = null
        where id = ${targetId}`.execute(db);
    },

    async removeSecret(secretId) {
      await sql`update secret set removed_at = now() where id = ${secretId}`.execute(db);
    },

    async createBinding(binding) {
      const row = await db
        .insertInto("binding")
        .values({
          secret_id: binding.secretId,
          target_id: binding.targetId,
          placement: binding.placement,
          key: binding.key,
          ...columnsOf(binding),
        })
        .returning("id")
        .executeTakeFirstOrThrow();
      return row.id;
    },

    async updateBinding(bindingId, content) {
      await db.updateTable("binding").set(columnsOf(content)).where("id", "=", bindingId).execute();
    },

    async removeBinding(bindingId) {
      await sql`update binding set removed_at = now(), take_over = false where id = ${bindingId}`.execute(db);
    },

    async forgetSettled(bindingIds) {
      await sql`
        update binding set settled = '{}', settled_digest = null, settled_at = null, evidence = null,
          evidence_at = null, take_over = false
        where id = any(${[...bindingIds]})`.execute(db);
      await sql`delete from observation where binding_id = any(${[...bindingIds]})`.execute(db);
    },

    async allowTakeOver(bindingIds) {
      await sql`update binding set take_over = true where id = any(${[...bindingIds]})`.execute(db);
    },

    claim: (claim) => claimKey(db, claim),

    async release(bindingId, keys) {
      for (const { place, key } of keys) {
        await sql`
          delete from ownership where place = ${place} and key = ${key} and binding_id = ${bindingId}
            and written_generation is null`.execute(db);
      }
    },

    async forget(bindingId, keys) {
      for (const { place, key } of keys) {
        await sql`
          delete from ownership where place = ${place} and key = ${key} and binding_id = ${bindingId}`.execute(
          db,
        );
      }
    },

    async prune(keys) {
      for (const { place, key } of keys) {
        await sql`
          update ownership set prune = true
          where place = ${place} and key = ${key} and written_generation is not null`.execute(db);
      }
    },
  };
}

async function selectSecrets(db: Kysely<Database>, environments: readonly string[]): Promise<StoredSecret[]> {
  const { rows } = await sql<StoredSecret>`
    select s.id, e.name as environment, s.name, s.policy, v.version as "currentVersion",
      exists (select from rollout r where r.secret_id = s.id and r.state in ('running', 'stalled')) as moving,
      s.removed_at is not null as removed
    from secret s join environment e on e.id = s.environment_id
      left join secret_version v on v.secret_id = s.id and v.state = 'current'
    where e.name = any(${environments}) order by e.name, s.name`.execute(db);
  return rows;
}

async function selectTargets(db: Kysely<Database>, environments: readonly string[]): Promise<StoredTarget[]> {
  const { rows } = await sql<StoredTarget>`
    select t.id, e.name as environment, t.name, t.kind, t.config, t.destination,
      t.credentials_sealed as "credentialsSealed"
    from target t join environment e on e.id = t.environment_id
    where e.name = any(${environments}) and t.removed_at is null order by e.name, t.name`.execute(db);
  return rows;
}

async function selectBindings(
  db: Kysely<Database>,
  environments: readonly string[],
): Promise<StoredBinding[]> {
  const { rows } = await sql<StoredBinding>`
    select b.id, b.secret_id as "secretId", se.name as "secretEnvironment", s.name as secret,
      b.target_id as "targetId", te.name as "targetEnvironment", t.name as target, b.placement, b.key, b.role,
      b.fallback_key as "fallbackKey", b.template, b.optional, b.drift, b.options, b.take_over as "takeOver",
      (b.settled ->> 'primary')::int as "settledVersion",
      (select o.place from ownership o where o.binding_id = b.id and o.slot = 'primary' and o.key = b.key limit 1) as place
    from binding b join secret s on s.id = b.secret_id join environment se on se.id = s.environment_id
      join target t on t.id = b.target_id join environment te on te.id = t.environment_id
    where b.removed_at is null and (se.name = any(${environments}) or te.name = any(${environments}))
    order by se.name, s.name, te.name, t.name, b.placement, b.key`.execute(db);
  return rows;
}

function columnsOf(content: BindingContent) {
  return {
    role: content.role,
    fallback_key: content.fallbackKey,
    template: content.template,
    optional: content.optional,
    drift: content.drift,
    options: jsonb(content.options),
  };
}

async function claimKey(db: Kysely<Database>, claim: Claim): Promise<void> {
  const { place, key, placement, slot, targetId, bindingId } = claim;
  // What a removed binding of the same secret wrote stays known as written by us; of another secret it does not.
  const { numAffectedRows } = await sql`
    insert into ownership as o (place, key, target_id, binding_id, placement, slot)
    values (${place}, ${key}, ${targetId}, ${bindingId}, ${placement}, ${slot})
    on conflict (place, key) do update set target_id = excluded.target_id, binding_id = excluded.binding_id,
      placement = excluded.placement, slot = excluded.slot, prune = false,
      written_generation = case when o.binding_id = excluded.binding_id or
        (select secret_id from binding where id = o.binding_id) =
        (select secret_id from binding where id = excluded.binding_id) then o.written_generation end
    where o.binding_id = excluded.binding_id
      or exists (select from binding b where b.id = o.binding_id and b.removed_at is not null)`.execute(db);
  if (numAffectedRows === 1n) return;
  const { rows } = await sql<OwnedKey>`${OWNED} where o.place = ${place} and o.key = ${key}`.execute(db);
  const owner = rows[0];
  const name = owner === undefined ? "another binding" : `${owner.secretEnvironment}/${owner.secret}`;
  throw new LockstepError(
    "PLACE_TAKEN",
    `Cannot claim ${key}: ${name} owns it at ${owner?.target ?? "its place"}.`,
    {
      details: { key, ...(owner === undefined ? {} : { secret: owner.secret, target: owner.target }) },
    },
  );
}
