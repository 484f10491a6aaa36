import { type Kysely, sql } from "kysely";
import { LockstepError } from "../../../core/errors.ts";
import type { JsonObject } from "../../../core/json.ts";
import { policyOf } from "../../../core/policy.ts";
import { mayMove, type VersionName, type VersionState } from "../../../core/secret.ts";
import type { NewVersion, SecretRecord, SecretRepo, VersionRecord } from "../../../core/store/secrets.ts";
import { type Database, jsonb } from "../schema/schema.ts";
import { selectPlacesHolding, selectVersionsWithFingerprint } from "./found-versions.ts";
import { secretMissing, stateRefuses, versionMissing } from "./secret-errors.ts";
import { NO_VALUE, toColumns } from "./value-places.ts";

export class PostgresSecretRepo implements SecretRepo {
  readonly #db: Kysely<Database>;

  constructor(db: Kysely<Database>) {
    this.#db = db;
  }

  async findEnvironment(name: string): Promise<{ readonly id: string; readonly name: string } | null> {
    const row = await this.#db
      .selectFrom("environment")
      .select(["id", "name"])
      .where("name", "=", name)
      .executeTakeFirst();
    return row ?? null;
  }

  async ensureEnvironment(name: string): Promise<{ readonly id: string; readonly created: boolean }> {
    const created = await this.#db
      .insertInto("environment")
      .values({ name })
      .onConflict((conflict) => conflict.column("name").doNothing())
      .returning("id")
      .executeTakeFirst();
    if (created !== undefined) return { id: created.id, created: true };
    // A racing creator has committed by now: the insert waited for it, and this statement has a new snapshot.
    const found = await this.#db
      .selectFrom("environment")
      .select("id")
      .where("name", "=", name)
      .executeTakeFirstOrThrow();
    return { id: found.id, created: false };
  }

  async listEnvironments(): Promise<readonly { readonly id: string; readonly name: string }[]> {
    return this.#db.selectFrom("environment").select(["id", "name"]).orderBy("name").execute();
  }

  async find(environment: string, name: string): Promise<SecretRecord | null> {
    const row = await this.#live()
      .where("environment.name", "=", environment)
      .where("secret.name", "=", name)
      .executeTakeFirst();
    return row === undefined ? null : toSecret(row);
  }

  async findById(secretId: string): Promise<SecretRecord | null> {
    const row = await this.#live().where("secret.id", "=", secretId).executeTakeFirst();
    return row === undefined ? null : toSecret(row);
  }

  async list(environment?: string): Promise<readonly SecretRecord[]> {
    let query = this.#live();
    if (environment !== undefined) query = query.where("environment.name", "=", environment);
    const rows = await query.orderBy("environment.name").orderBy("secret.name").execute();
    return rows.map(toSecret);
  }

  async create(secret: {
    readonly environmentId: string;
    readonly name: string;
    readonly policy: JsonObject;
  }): Promise<SecretRecord> {
    // A removed secret of this name comes back with its history: its versions go on from the highest number.
    const row = await this.#db
      .insertInto("secret")
      .values({ environment_id: secret.environmentId, name: secret.name, policy: jsonb(secret.policy) })
      .onConflict((conflict) =>
        conflict
          .columns(["environment_id", "name"])
          .doUpdateSet({ policy: jsonb(secret.policy), removed_at: null })
          .where("secret.removed_at", "is not", null),
      )
      .returning("id")
      .executeTakeFirst();
    const created = row === undefined ? null : await this.findById(row.id);
    if (created === null) {
      throw new LockstepError(
        "ALREADY_EXISTS",
        `Cannot create the secret ${secret.name}: it already exists.`,
      );
    }
    return created;
  }

  async setPolicy(secretId: string, policy: JsonObject): Promise<void> {
    const row = await this.#db
      .updateTable("secret")
      .set({ policy: jsonb(policy) })
      .where("id", "=", secretId)
      .returning("id")
      .executeTakeFirst();
    if (row === undefined) throw secretMissing("change its policy", secretId);
  }

  async lockForNewVersion(secretId: string): Promise<number> {
    if (!(await this.#lock(secretId))) throw secretMissing("make a new version", secretId);
    // A statement of its own: its snapshot is taken after the lock was granted.
    const { highest } = await this.#db
      .selectFrom("secret_version")
      .select((select) => select.fn.max("version").as("highest"))
      .where("secret_id", "=", secretId)
      .executeTakeFirstOrThrow();
    return (highest ?? 0) + 1;
  }

  async addVersion(version: NewVersion): Promise<void> {
    const { secretId, state } = version;
    if (state !== "retired") await this.#assertOnly(secretId, version.version, state);
    const added = await this.#db
      .insertInto("secret_version")
      .values({
        secret_id: secretId,
        version: version.version,
        state,
        ...toColumns(version.value),
        fingerprint: version.fingerprint,
        created_by: version.createdBy,
        expires_at: version.expiresAt ?? null,
      })
      .onConflict((conflict) => conflict.columns(["secret_id", "version"]).doNothing())
      .returning("version")
      .executeTakeFirst();
    if (added === undefined) {
      throw new LockstepError("ALREADY_EXISTS", `Cannot add version ${version.version}: it already exists.`, {
        details: { secretId, version: version.version },
        hint: "Ask again for the next number under the secret's lock.",
      });
    }
  }

  async versions(secretId: string): Promise<readonly VersionRecord[]> {
    const rows = await this.#db
      .selectFrom("secret_version")
      .select([
        "secret_id as secretId",
        "version",
        "state",
        "compromised_at as compromisedAt",
        "expires_at as expiresAt",
        "fingerprint",
        "created_by as createdBy",
        "created_at as createdAt",
        "state_changed_at as stateChangedAt",
      ])
      .where("secret_id", "=", secretId)
      .orderBy("version", "desc")
      .execute();
    return rows;
  }

  async replaceSealedValue(secretId: string, version: number, valueSealed: string): Promise<void> {
    const row = await this.#db
      .updateTable("secret_version")
      .set({ value_sealed: valueSealed })
      .where("secret_id", "=", secretId)
      .where("version", "=", version)
      .where("state", "<>", "destroyed")
      .returning("version")
      .executeTakeFirst();
    if (row === undefined) throw versionMissing("reseal it", secretId, version);
  }

  async moveVersion(secretId: string, version: number, to: VersionState): Promise<void> {
    // One secret's moves go one after the other: which version is current is a statement about all of them.
    await this.#lock(secretId);
    const row = await this.#db
      .selectFrom("secret_version")
      .select(["state", "compromised_at"])
      .where("secret_id", "=", secretId)
      .where("version", "=", version)
      .executeTakeFirst();
    if (row === undefined) throw versionMissing(`make it ${to}`, secretId, version);
    if (!mayMove(row.state, to)) throw stateRefuses(secretId, version, to, `it is ${row.state}`);
    if (to === "current") await this.#assertOnly(secretId, version, to);
    await this.#db
      .updateTable("secret_version")
      .set({
        state: to,
        state_changed_at: sql<Date>`now()`,
        ...(to === "destroyed" ? NO_VALUE : {}),
      })
      .where("secret_id", "=", secretId)
      .where("version", "=", version)
      .execute();
  }

  versionsWithFingerprint(fingerprints: ReadonlyMap<string, string>): Promise<readonly VersionName[]> {
    return selectVersionsWithFingerprint(this.#db, fingerprints);
  }

  placesHolding(secretId: string, version: number): Promise<readonly string[]> {
    return selectPlacesHolding(this.#db, secretId, version);
  }

  async markCompromised(secretId: string, version: number): Promise<void> {
    // The first mark stays: it tells since when.
    const row = await this.#db
      .updateTable("secret_version")
      .set({ compromised_at: sql<Date>`coalesce(compromised_at, now())` })
      .where("secret_id", "=", secretId)
      .where("version", "=", version)
      .returning("version")
      .executeTakeFirst();
    if (row === undefined) throw versionMissing("mark it", secretId, version);
  }

  /** Weak enough to let others refer to the secret meanwhile. False for a removed or unknown one. */
  async #lock(secretId: string): Promise<boolean> {
    const row = await this.#db
      .selectFrom("secret")
      .select("removed_at")
      .where("id", "=", secretId)
      .forNoKeyUpdate()
      .executeTakeFirst();
    return row !== undefined && row.removed_at === null;
  }

  /** Says in words what the partial unique indexes would otherwise say as an aborted transaction. */
  async #assertOnly(secretId: string, version: number, state: VersionState): Promise<void> {
    const other = await this.#db
      .selectFrom("secret_version")
      .select("version")
      .where("secret_id", "=", secretId)
      .where("state", "=", state)
      .where("version", "<>", version)
      .executeTakeFirst();
    if (other !== undefined) {
      throw stateRefuses(secretId, version, state, `version ${other.version} still is`);
    }
  }

  #live() {
    return this.#db
      .selectFrom("secret")
      .innerJoin("environment", "environment.id", "secret.environment_id")
      .select([
        "secret.id",
        "secret.environment_id",
        "environment.name as environment",
        "secret.name",
        "secret.policy",
      ])
      .where("secret.removed_at", "is", null);
  }
}

interface SecretRow {
  readonly id: string;
  readonly environment_id: string;
  readonly environment: string;
  readonly name: string;
  readonly policy: JsonObject;
}

function toSecret({ environment_id, ...row }: SecretRow): SecretRecord {
  return { ...row, environmentId: environment_id, policy: policyOf(row.policy) };
}
