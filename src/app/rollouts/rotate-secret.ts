/** `lockstep rotate`: a new value, made by the secret's policy, for every place at once; or what that would touch. */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import { generationOf } from "../../core/generate.ts";
import type { Strategy } from "../../core/rollout/slots.ts";
import { assertAdopted } from "../config/adoption.ts";
import type { AppContext } from "../context.ts";
import type { Introduced } from "../introduce-version.ts";
import { findSecret, generateSecret, type SecretName } from "../secrets/change-secret.ts";

export interface RotateRequest {
  /** What this engine version can do is `replace`; another word is refused instead of being understood as it. */
  readonly strategy?: Strategy;
}

/** Throws NOT_FOUND, UNSUPPORTED, and NOT_ADOPTED when places hold a value that nobody chose about. */
export async function rotateSecret(
  context: AppContext,
  actor: Actor,
  secret: SecretName,
  request: RotateRequest,
  signal: AbortSignal,
): Promise<Introduced> {
  assertStrategy(request);
  await assertAdopted(context, actor, secret, signal);
  return generateSecret(context, actor, secret);
}

export interface RotationPreview {
  readonly secretId: string;
  readonly from: number | null;
  readonly to: number;
  /** Fields that would be made. */
  readonly fields: readonly string[];
}

/** Everything that rotating would refuse is refused here too; nothing is written. */
export async function previewRotation(
  context: AppContext,
  actor: Actor,
  secret: SecretName,
  request: RotateRequest,
  signal: AbortSignal,
): Promise<RotationPreview> {
  assertStrategy(request);
  await assertAdopted(context, actor, secret, signal);
  const known = await findSecret(context, secret);
  const versions = await context.store.read.secrets.versions(known.id);
  return {
    secretId: known.id,
    from: versions.find(({ state }) => state === "current")?.version ?? null,
    to: Math.max(0, ...versions.map(({ version }) => version)) + 1,
    fields: [...generationOf(known.policy).keys()],
  };
}

function assertStrategy({ strategy = "replace" }: RotateRequest): void {
  if (strategy === "replace") return;
  throw new LockstepError(
    "UNSUPPORTED",
    `Cannot rotate with "${strategy}": this release moves all places at once.`,
    {
      hint: "Use --strategy replace, and expect a short window in which places differ.",
    },
  );
}
