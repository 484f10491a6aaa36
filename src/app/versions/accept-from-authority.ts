/**
 * A value that its authority accepts, and ours not, becomes the secret's current version. Everybody who sends ours is
 * refused there already, so that the callers get it at once: nobody is left who could be waited for.
 */
import { type Actor, SYSTEM } from "../../core/actor.ts";
import { extractValue } from "../../core/adoption/extract-value.ts";
import { PLAIN_FIELD } from "../../core/secret.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { LoopBinding, TargetRecord } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import { transactionWithValues } from "../values/prepared-values.ts";
import { fingerprintOf } from "../values/secret-fields.ts";
import { introduceLocked } from "./introduce-version.ts";

/** Nobody's token is shorter; an empty file or a placeholder is no value. */
const MIN_LENGTH = 8;
const MAX_LENGTH = 65_536;

export interface NewerValue {
  readonly target: Pick<TargetRecord, "id" | "name">;
  readonly binding: Pick<LoopBinding, "id" | "key" | "secretId" | "template">;
  /** As it stands at the place. */
  readonly found: SecretValue;
  /** Through whom it came: the agent that found it. */
  readonly by?: Actor;
}

/** Null: it was not accepted, because it is known, is not usable, or a rollout is under way. */
export async function acceptFromAuthority(
  context: AppContext,
  { target, binding, found, by }: NewerValue,
): Promise<{ readonly version: number } | null> {
  const value = extractValue(found, binding.template);
  const length = value?.reveal().length ?? 0;
  if (value === null || length < MIN_LENGTH || length > MAX_LENGTH) return null;
  const actor: Actor = {
    ...SYSTEM,
    id: "authority",
    name: "authority",
    ...(by === undefined ? {} : { via: [by.id] }),
  };
  return await transactionWithValues(context, async (tx, next) => {
    await tx.secrets.lockForNewVersion(binding.secretId);
    const secret = await tx.secrets.findById(binding.secretId);
    const versions = await tx.secrets.versions(binding.secretId);
    const current = versions.find(({ state }) => state === "current");
    const isMoving = (await tx.rollouts.openOf(binding.secretId)) !== null;
    // Whose first value it is, and which of several fields changed, only a person can say.
    if (secret === null || current === undefined || isMoving || secret.policy.hasFields) return null;
    const fingerprint = fingerprintOf(context, secret.id, new Map([[PLAIN_FIELD, value]]));
    if (versions.some((one) => one.state !== "destroyed" && one.fingerprint === fingerprint)) return null;
    const introduced = await introduceLocked(
      context,
      tx,
      next,
      actor,
      secret,
      { fields: { [PLAIN_FIELD]: value } },
      { strategy: "replace" },
    );
    await tx.audit.append({
      action: "secret.taken_over",
      actor,
      subject: { kind: "secret", id: secret.id, name: secret.name },
      details: { from: target.name, key: binding.key, version: introduced.version, instead: current.version },
    });
    return { version: introduced.version };
  });
}
