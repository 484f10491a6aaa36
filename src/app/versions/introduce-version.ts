/**
 * Brings a new value of a secret into the store and sets everything in motion that must hold it: in one transaction
 * the version, the rollout, the targets' generations and the audit entries.
 */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { RolloutRecord } from "../../core/store/rollouts.ts";
import type { SecretRecord } from "../../core/store/secrets.ts";
import type { Repositories } from "../../core/store/store.ts";
import { storeNameOf } from "../../core/stored-value.ts";
import type { AppContext } from "../base/context.ts";
import type { Next } from "../base/follow-ups.ts";
import { chooseHow, type HowToMove, startRollout, supersede, type Wish } from "../rollouts/start-rollout.ts";
import { type PreparedRepositories, transactionWithValues } from "../values/prepared-values.ts";
import { fulfilValue } from "../values/put-value.ts";
import { fingerprintOf } from "../values/secret-fields.ts";

export interface NewValue {
  readonly environment: string;
  readonly name: string;
  /** A plain secret has the one field PLAIN_FIELD. */
  readonly fields: Readonly<Record<string, SecretValue>>;
  readonly expiresAt?: Date;
}

export interface Introduced {
  readonly secretId: string;
  readonly version: number;
  /** Null when the secret has no bindings: the version is current at once. */
  readonly rolloutId: string | null;
  /** What was under way already and is answered with: a rollout's id, or that of a request to an issuer. */
  readonly joined?: string;
}

/**
 * Throws STORE_SET_BACK, NOT_FOUND for an unknown secret, ROLLOUT_OPEN while two versions are in use, STRATEGY_IMPOSSIBLE. An open rollout
 * whose new version nobody was sent to is superseded, but one that brings this very value is joined: waiting for a dead place must not hold an urgent change.
 */
export async function introduceVersion(
  context: AppContext,
  actor: Actor,
  value: NewValue,
  how: HowToMove = {},
): Promise<Introduced> {
  const likely = await context.store.read.secrets.find(value.environment, value.name);
  const fields = new Map(Object.entries(value.fields));
  const bring = async (tx: PreparedRepositories, next: Next) => {
    await tx.meta.assertMayMove();
    const secret = await tx.secrets.find(value.environment, value.name);
    if (secret === null) {
      throw new LockstepError(
        "NOT_FOUND",
        `Cannot set "${value.name}": there is no such secret in ${value.environment}.`,
      );
    }
    await tx.secrets.lockForNewVersion(secret.id);
    const open = await tx.rollouts.openOf(secret.id);
    if (open !== null && (await holds(context, tx, open, value.fields))) {
      const { id, toVersion } = open;
      return { secretId: secret.id, version: toVersion, rolloutId: id, joined: id };
    }
    return introduceLocked(context, tx, next, actor, secret, value, how);
  };
  return await transactionWithValues(
    context,
    bring,
    likely === null ? {} : { likely: { secretId: likely.id, fields } },
  );
}

/** Whether an open rollout brings that very value: then it is on its way already. Nobody is given a compromised one. */
async function holds(
  context: AppContext,
  tx: Repositories,
  { secretId, toVersion }: RolloutRecord,
  fields: NewValue["fields"],
): Promise<boolean> {
  const to = (await tx.secrets.versions(secretId)).find(({ version }) => version === toVersion);
  if (to === undefined || to.compromisedAt !== null) return false;
  return to.fingerprint === fingerprintOf(context, secretId, new Map(Object.entries(fields)));
}

/** The same within the caller's transaction. */
export async function introduceLocked(
  context: AppContext,
  tx: PreparedRepositories,
  next: Next,
  actor: Actor,
  secret: SecretRecord,
  value: Pick<NewValue, "fields" | "expiresAt">,
  how: HowToMove & Wish = {},
): Promise<Introduced> {
  const version = await tx.secrets.lockForNewVersion(secret.id);
  const before = (await tx.secrets.versions(secret.id)).find(({ state }) => state === "current") ?? null;
  const targets = await tx.targets.bindingTargets(secret.id);
  const { strategy } =
    targets.length === 0
      ? ({ strategy: "replace" } as const)
      : await chooseHow(context, tx, secret, before, how);
  await supersede(tx, actor, secret, strategy);
  await addVersion(tx, actor, secret, { ...value, version, state: "staged" });
  await tx.renewals.wake(secret.environmentId, secret.name);

  if (targets.length === 0) {
    if (before !== null) await tx.secrets.moveVersion(secret.id, before.version, "retired");
    await tx.secrets.moveVersion(secret.id, version, "current");
    return { secretId: secret.id, version, rolloutId: null };
  }
  const rolloutId = await startRollout(context, tx, next, actor, {
    secret,
    fromVersion: before?.version ?? null,
    toVersion: version,
    strategy,
    ...(how.urgent === undefined ? {} : { urgent: how.urgent }),
    ...(how.rotates === undefined ? {} : { rotates: how.rotates }),
  });
  return { secretId: secret.id, version, rolloutId };
}

/** Kept and on record; moves nothing. */
export async function addVersion(
  tx: PreparedRepositories,
  actor: Actor,
  secret: SecretRecord,
  {
    version,
    state,
    ...value
  }: Pick<NewValue, "fields" | "expiresAt"> & {
    readonly version: number;
    readonly state: "retired" | "staged";
  },
): Promise<void> {
  const fields = new Map(Object.entries(value.fields));
  const { stored, fingerprint } = tx.values.take({ secretId: secret.id, version, fields });
  await fulfilValue(tx, { secretId: secret.id, version }, stored);
  await tx.secrets.addVersion({
    secretId: secret.id,
    version,
    state,
    value: stored,
    fingerprint,
    createdBy: actor.name,
    ...(value.expiresAt === undefined ? {} : { expiresAt: value.expiresAt }),
  });
  await tx.audit.append({
    action: "version.created",
    actor,
    subject: { kind: "secret", id: secret.id, name: secret.name },
    details: {
      version,
      ...(state === "retired" ? { state } : {}),
      values: storeNameOf(stored),
    },
  });
}
