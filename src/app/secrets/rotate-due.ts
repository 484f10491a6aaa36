/**
 * Rotates what is due by schedule. Several workers may find the same secret: whoever takes its row first makes the version,
 * the others see that it is not the same any more.
 */
import { SYSTEM } from "../../core/actor.ts";
import { isSourceAway, type LockstepError, toLockstepError } from "../../core/errors.ts";
import type { Job } from "../../core/ports/queue.ts";
import { isRotationDue } from "../../core/rollout/schedule.ts";
import { seedOf } from "../../core/seed.ts";
import type { ScheduledSecret } from "../../core/store/schedule.ts";
import type { AppContext } from "../base/context.ts";
import { assertAdopted } from "../config/adoption.ts";
import { transactionWithValues } from "../values/prepared-values.ts";
import { introduceLocked } from "../versions/introduce-version.ts";
import { makeFields } from "../versions/make-fields.ts";

const RETRY_MS = 15 * 60_000;
const ADOPTED_WITHIN_MS = 60_000;
const ACTOR = { ...SYSTEM, id: "schedule", name: "schedule" };

/** Those with the oldest value come first. */
export async function dueRotations(context: AppContext, most: number): Promise<readonly Job[]> {
  const candidates = await context.store.read.schedule.candidates();
  const due = candidates.filter(isDue).slice(0, most);
  return due.map(({ id }) => ({ name: "rotate", id }));
}

/** If it is still due. What fails is on record and tried again later; the old value stays valid meanwhile. */
export async function rotateBySchedule(
  context: AppContext,
  secretId: string,
  signal: AbortSignal,
): Promise<void> {
  const { read } = context.store;
  const secret = await read.schedule.candidate(secretId);
  // A store that was set back only looks.
  if (secret === null || !isDue(secret) || (await read.meta.setBack()) !== null) return;
  try {
    await rotate(context, secret, signal);
  } catch (thrown) {
    if (signal.aborted) return;
    const error = toLockstepError(thrown);
    // The next sweep finds it due again.
    if (isSourceAway(error))
      context.log.debug("rotation by schedule waits", { secret: secret.name, code: error.code });
    else await postpone(context, secret, error);
  }
}

function isDue(secret: ScheduledSecret): boolean {
  const { everyMs, window } = secret.policy.rotate;
  const seed = seedOf(secret.id, secret.currentVersion);
  return everyMs !== null && isRotationDue({ everyMs, window }, { ...secret, seed });
}

async function rotate(context: AppContext, secret: ScheduledSecret, signal: AbortSignal): Promise<void> {
  await assertAdopted(context, secret, AbortSignal.any([signal, AbortSignal.timeout(ADOPTED_WITHIN_MS)]));
  const fields = makeFields(context, secret.policy);
  await transactionWithValues(context, async (tx, next) => {
    await tx.secrets.lockForNewVersion(secret.id);
    const current = (await tx.secrets.versions(secret.id)).find(({ state }) => state === "current");
    const isTaken = (await tx.rollouts.openOf(secret.id)) !== null;
    if (current?.version !== secret.currentVersion || isTaken) return;
    await introduceLocked(context, tx, next, ACTOR, secret, { fields }, { rotates: true });
  });
}

async function postpone(
  context: AppContext,
  { id, name }: ScheduledSecret,
  { code, message }: LockstepError,
): Promise<void> {
  context.log.warn("rotation by schedule failed", { secret: name, code, reason: message });
  await context.store.transaction(async (tx) => {
    await tx.schedule.postpone(id, RETRY_MS);
    await tx.audit.append({
      action: "rollout.failed",
      actor: ACTOR,
      subject: { kind: "secret", id, name },
      details: { code, reason: message },
    });
  });
}
