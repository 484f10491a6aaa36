/** `lockstep rotate`: a new value, made by the secret's policy, moved in order; or what that would touch. */
import type { Actor } from "../../core/actor.ts";
import { generationOf } from "../../core/generate.ts";
import { DEPLOYMENTS, PHASES, type Phase, type Strategy } from "../../core/rollout/strategy.ts";
import type { Role } from "../../core/secret.ts";
import type { RolloutRecord } from "../../core/store/rollouts.ts";
import type { AppContext } from "../base/context.ts";
import { findSecret, type SecretName } from "../base/find-secret.ts";
import type { Next } from "../base/follow-ups.ts";
import { transact } from "../base/transaction.ts";
import { assertAdopted } from "../config/adoption.ts";
import { renewNow } from "../renewals/renew-now.ts";
import { areTwoInUse, chooseHow, type HowToMove } from "../rollouts/start-rollout.ts";
import { transactionWithValues } from "../values/prepared-values.ts";
import { type Introduced, introduceLocked } from "../versions/introduce-version.ts";
import { makeFields } from "../versions/make-fields.ts";
import { hurry, joinRotation } from "./join-rotation.ts";

export type RotateRequest = HowToMove;

/**
 * Joins the rotation that is bringing a new value already. Throws NOT_FOUND, STRATEGY_IMPOSSIBLE, ROLLOUT_OPEN, and NOT_ADOPTED when places hold a value that nobody chose about.
 * `urgent` while two versions are in use makes no third: the open rollout goes on without waiting for silence.
 */
export async function rotateSecret(
  context: AppContext,
  actor: Actor,
  secret: SecretName,
  request: RotateRequest,
  signal: AbortSignal,
): Promise<Introduced> {
  const hurried = request.urgent === true ? await hurryOpen(context, actor, secret) : null;
  if (hurried !== null) return hurried;
  const known = await findSecret(context, secret);
  // Whoever makes its values makes this one too; how it moves is the issuer's matter as well.
  if (known.policy.issue !== null) {
    await assertAdopted(context, secret, signal);
    return renewNow(context, actor, secret, {}, signal);
  }
  const joined = await transact(context, async (tx, next) => {
    const open = await joinRotation(context, tx, actor, known, request);
    return open === null ? null : joinedTo(open, next);
  });
  if (joined !== null) return joined;
  await assertAdopted(context, secret, signal);
  const fields = makeFields(context, known.policy);
  return await transactionWithValues(
    context,
    async (tx, next) => {
      await tx.meta.assertMayMove();
      await tx.secrets.lockForNewVersion(known.id);
      // Somebody else may have begun one meanwhile.
      const other = await joinRotation(context, tx, actor, known, request);
      if (other !== null) return joinedTo(other, next);
      return await introduceLocked(
        context,
        tx,
        next,
        actor,
        known,
        { fields },
        { ...request, rotates: true },
      );
    },
    { likely: { secretId: known.id, fields: new Map(Object.entries(fields)) } },
  );
}

function joinedTo({ id, secretId, toVersion }: RolloutRecord, next: Next): Introduced {
  next.advance([id]);
  return { secretId, version: toVersion, rolloutId: id, joined: id };
}

async function hurryOpen(context: AppContext, actor: Actor, secret: SecretName): Promise<Introduced | null> {
  const known = await findSecret(context, secret);
  return await transact(context, async (tx, next) => {
    const open = await tx.rollouts.openOf(known.id);
    if (open === null || !(await areTwoInUse(tx, open))) return null;
    await hurry(tx, actor, known, open);
    return joinedTo(open, next);
  });
}

export interface RotationPreview {
  readonly secretId: string;
  readonly from: number | null;
  readonly to: number;
  /** Fields that would be made. */
  readonly fields: readonly string[];
  readonly strategy: Strategy;
  /** Why it would not be `overlap`. */
  readonly because: readonly string[];
  readonly phases: readonly Phase[];
  /** How often a unit is deployed, by what its binding does. */
  readonly deployments: Readonly<Record<Role, number>>;
  /** How long the old version stays accepted after the last known caller left; 0 where nobody waits. */
  readonly settleForMs: number;
}

/** Everything that rotating would refuse is refused here too; nothing is written. */
export async function previewRotation(
  context: AppContext,
  secret: SecretName,
  request: RotateRequest,
  signal: AbortSignal,
): Promise<RotationPreview> {
  await assertAdopted(context, secret, signal);
  const known = await findSecret(context, secret);
  const versions = await context.store.read.secrets.versions(known.id);
  const current = versions.find(({ state }) => state === "current") ?? null;
  const { strategy, because } = await chooseHow(context, context.store.read, known, current, request);
  const { settleForMs } = known.policy.rotate;
  return {
    secretId: known.id,
    from: current?.version ?? null,
    to: Math.max(0, ...versions.map(({ version }) => version)) + 1,
    fields: [...generationOf(known.policy).keys()],
    strategy,
    because,
    phases: PHASES[strategy],
    deployments: DEPLOYMENTS[strategy],
    settleForMs: strategy === "replace" || request.urgent === true ? 0 : settleForMs,
  };
}
