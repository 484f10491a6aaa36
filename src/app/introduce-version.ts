/**
 * Brings a new value of a secret into the store and sets everything in motion that must hold it: in one transaction
 * the version, the rollout, the targets' generations and the audit entries.
 */
import type { Actor } from "../core/actor.ts";
import { LockstepError } from "../core/errors.ts";
import type { SecretRecord } from "../core/ports/store/secrets.ts";
import type { Repositories } from "../core/ports/store/store.ts";
import { ENGINE_VERSION } from "../core/rollout/slots.ts";
import { SecretValue } from "../core/secret-value.ts";
import type { AppContext } from "./context.ts";
import { hint } from "./loop/hint.ts";
import { advanceLocked } from "./rollouts/advance-rollout.ts";
import { type Fields, sealFields, serializeFields } from "./secret-fields.ts";

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
}

/**
 * Throws NOT_FOUND for an unknown secret. An open `replace` rollout of the secret is superseded: its new value is on
 * its way out before it arrived everywhere, and waiting for a dead place must not hold an urgent change.
 */
export async function introduceVersion(
  context: AppContext,
  actor: Actor,
  value: NewValue,
): Promise<Introduced> {
  const { introduced, bumped } = await context.store.transaction(async (tx) => {
    const secret = await tx.secrets.find(value.environment, value.name);
    if (secret === null) {
      throw new LockstepError(
        "NOT_FOUND",
        `Cannot set "${value.name}": there is no such secret in ${value.environment}.`,
      );
    }
    return introduceLocked(context, tx, actor, secret, value);
  });
  await hint(
    context,
    bumped.map((id) => ({ name: "reconcile", id }) as const),
  );
  return introduced;
}

/** The same within the caller's transaction; the caller hints the answered targets after commit. */
export async function introduceLocked(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  secret: SecretRecord,
  value: Pick<NewValue, "fields" | "expiresAt">,
): Promise<{ readonly introduced: Introduced; readonly bumped: readonly string[] }> {
  const version = await tx.secrets.lockForNewVersion(secret.id);
  await supersede(tx, actor, secret);
  const before = (await tx.secrets.versions(secret.id)).find((known) => known.state === "current");
  await addStaged(context, tx, actor, secret, version, value);

  const targets = await tx.targets.bindingTargets(secret.id);
  if (targets.length === 0) {
    if (before !== undefined) await tx.secrets.moveVersion(secret.id, before.version, "retired");
    await tx.secrets.moveVersion(secret.id, version, "current");
    return { introduced: { secretId: secret.id, version, rolloutId: null }, bumped: [] };
  }
  const rolloutId = await tx.rollouts.start({
    secretId: secret.id,
    fromVersion: before?.version ?? null,
    toVersion: version,
    strategy: "replace",
    phase: "prepare",
    engineVersion: ENGINE_VERSION,
    options: {},
    actor,
  });
  await tx.audit.append({
    action: "rollout.started",
    actor,
    subject: { kind: "secret", id: secret.id, name: secret.name },
    details: { rollout: rolloutId, from: before?.version ?? null, to: version, strategy: "replace" },
  });
  const rollout = await tx.rollouts.lock(rolloutId);
  const bumped = rollout === null ? [] : await advanceLocked(context, tx, rollout);
  return { introduced: { secretId: secret.id, version, rolloutId }, bumped };
}

async function addStaged(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  secret: SecretRecord,
  version: number,
  value: Pick<NewValue, "fields" | "expiresAt">,
): Promise<void> {
  const fields: Fields = new Map(Object.entries(value.fields));
  await tx.secrets.addVersion({
    secretId: secret.id,
    version,
    state: "staged",
    valueSealed: await sealFields(context, secret.id, version, fields),
    fingerprint: context.fingerprinter.fingerprint(secret.id, SecretValue.of(serializeFields(fields))),
    createdBy: actor.name,
    ...(value.expiresAt === undefined ? {} : { expiresAt: value.expiresAt }),
  });
  await tx.audit.append({
    action: "version.created",
    actor,
    subject: { kind: "secret", id: secret.id, name: secret.name },
    details: { version },
  });
}

async function supersede(tx: Repositories, actor: Actor, secret: SecretRecord): Promise<void> {
  const open = await tx.rollouts.openOf(secret.id);
  if (open === null) return;
  const locked = await tx.rollouts.lock(open.id);
  if (locked === null || (locked.state !== "running" && locked.state !== "stalled")) return;
  await tx.rollouts.setState(locked.id, "abandoned", "superseded by a newer version");
  await tx.audit.append({
    action: "rollout.failed",
    actor,
    subject: { kind: "secret", id: secret.id, name: secret.name },
    details: { rollout: locked.id, reason: "superseded by a newer version" },
  });
}
