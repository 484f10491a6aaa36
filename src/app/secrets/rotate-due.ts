/**
 * Rotates what is due by schedule. Several workers may find the same secret: whoever takes its row first makes the version,
 * the others see that it is not the same any more.
 */
import { SYSTEM } from "../../core/actor.ts";
import { isSourceAway, toLockstepError } from "../../core/errors.ts";
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

export async function rotateDue(context: AppContext): Promise<void> {
  for (const secret of await context.store.read.schedule.candidates()) {
    const { everyMs, window } = secret.policy.rotate;
    const seed = seedOf(secret.id, secret.currentVersion);
    if (everyMs === null || !isRotationDue({ everyMs, window }, { ...secret, seed })) continue;
    try {
      await rotate(context, secret);
    } catch (thrown) {
      const error = toLockstepError(thrown);
      // The next round finds it due again; the others would end the same way. Whoever sweeps has other work.
      if (isSourceAway(error)) {
        context.log.debug("rotation by schedule waits", { secret: secret.name, code: error.code });
        return;
      }
      await postpone(context, secret, error);
    }
  }
}

async function rotate(context: AppContext, secret: ScheduledSecret): Promise<void> {
  await assertAdopted(context, secret, AbortSignal.timeout(ADOPTED_WITHIN_MS));
  const fields = makeFields(context, secret.policy);
  await transactionWithValues(context, async (tx, next) => {
    await tx.secrets.lockForNewVersion(secret.id);
    const current = (await tx.secrets.versions(secret.id)).find(({ state }) => state === "current");
    const isTaken = (await tx.rollouts.openOf(secret.id)) !== null;
    if (current?.version !== secret.currentVersion || isTaken) return;
    await introduceLocked(context, tx, next, ACTOR, secret, { fields }, { rotates: true });
  });
}

/** The old value stays valid, and it is tried again; meanwhile it is on record why. */
async function postpone(
  context: AppContext,
  { id, name }: ScheduledSecret,
  { code, message }: { readonly code: string; readonly message: string },
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
