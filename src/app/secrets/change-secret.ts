/** New values by a person's hand: given, or made here. Both bring a version and its rollout. */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { AppContext } from "../base/context.ts";
import { findSecret, type SecretName } from "../base/find-secret.ts";
import { assertAdopted } from "../config/adoption.ts";
import type { HowToMove } from "../rollouts/start-rollout.ts";
import { type Introduced, introduceVersion } from "../versions/introduce-version.ts";
import { makeFields } from "../versions/make-fields.ts";
import { assertPlacesHold } from "./assert-places-hold.ts";

const SECRET_NAME = /^[A-Z][A-Z0-9_]{0,127}$/;
const ENVIRONMENT_NAME = /^[a-z0-9](?:[a-z0-9_-]{0,61}[a-z0-9])?$/;
const MAX_VALUE_CHARACTERS = 65_536;

/**
 * Creates the secret when it is new. Throws INPUT_INVALID, VALUE_INVALID, VALUE_NOT_REPRESENTABLE for what a place of it
 * cannot hold, and NOT_ADOPTED when places hold a value already that nobody chose about.
 */
export async function setSecret(
  context: AppContext,
  actor: Actor,
  secret: SecretName,
  fields: Readonly<Record<string, SecretValue>>,
  signal?: AbortSignal,
): Promise<Introduced> {
  assertName(secret);
  assertFields(secret, fields);
  await assertAdopted(context, secret, signal);
  const known = await context.store.read.secrets.find(secret.environment, secret.name);
  if (known !== null) await assertPlacesHold(context, known, new Map(Object.entries(fields)));
  await ensureSecret(context, actor, secret);
  return introduceVersion(context, actor, { ...secret, fields });
}

/** Makes the value by the secret's policy. Throws NOT_FOUND: what is not configured is set by hand first; NOT_ADOPTED. */
export async function generateSecret(
  context: AppContext,
  actor: Actor,
  secret: SecretName,
  how: HowToMove = {},
  signal?: AbortSignal,
): Promise<Introduced> {
  const { policy } = await findSecret(context, secret);
  if (policy.issue !== null) {
    throw new LockstepError(
      "INPUT_INVALID",
      `Cannot generate "${secret.name}": an issuer makes its values.`,
      {
        hint: `Use \`lockstep renew ${secret.name}\`.`,
      },
    );
  }
  await assertAdopted(context, secret, signal);
  return introduceVersion(context, actor, { ...secret, fields: makeFields(context, policy) }, how);
}

async function ensureSecret(
  context: AppContext,
  actor: Actor,
  { environment, name }: SecretName,
): Promise<void> {
  await context.store.transaction(async (tx) => {
    if ((await tx.secrets.find(environment, name)) !== null) return;
    const { id, created } = await tx.secrets.ensureEnvironment(environment);
    if (created) {
      await tx.audit.append({
        action: "environment.created",
        actor,
        subject: { kind: "environment", id, name: environment },
      });
    }
    const secret = await tx.secrets.create({ environmentId: id, name, policy: {} });
    await tx.audit.append({
      action: "secret.created",
      actor,
      subject: { kind: "secret", id: secret.id, name },
    });
  });
}

function assertName({ environment, name }: SecretName): void {
  if (!SECRET_NAME.test(name)) {
    throw new LockstepError(
      "INPUT_INVALID",
      "Cannot set the secret: its name must be capitals, digits and _, beginning with a letter.",
    );
  }
  if (!ENVIRONMENT_NAME.test(environment)) {
    throw new LockstepError(
      "INPUT_INVALID",
      "Cannot set the secret: the environment's name must be small letters, digits, - and _.",
    );
  }
}

function assertFields({ name }: SecretName, fields: Readonly<Record<string, SecretValue>>): void {
  const values = Object.values(fields);
  if (values.length === 0 || values.some((value) => value.reveal() === "")) {
    throw new LockstepError("VALUE_INVALID", `Cannot set "${name}": the value is empty.`, {
      hint: "An empty value is almost always a mistake in what was piped in.",
    });
  }
  if (values.some((value) => value.reveal().length > MAX_VALUE_CHARACTERS)) {
    throw new LockstepError(
      "VALUE_INVALID",
      `Cannot set "${name}": the value is longer than ${MAX_VALUE_CHARACTERS} characters.`,
    );
  }
  if (values.some((value) => value.reveal().includes("\u0000") || !isWellFormed(value.reveal()))) {
    throw new LockstepError(
      "VALUE_INVALID",
      `Cannot set "${name}": the value holds a NUL or is not valid Unicode.`,
    );
  }
}

/** No lone surrogates: they would be replaced on their way to the place. */
function isWellFormed(text: string): boolean {
  return Buffer.from(text).toString() === text;
}
