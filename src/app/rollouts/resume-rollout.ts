/** A person says: what held it up is repaired. The same intent is tried again at once. */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { AppContext } from "../base/context.ts";
import { transact } from "../base/transaction.ts";
import { assertNotNewer } from "../desired/newer-rollout.ts";
import { ended } from "./ended-rollout.ts";

/** One that is done needs nothing more. Throws NOT_FOUND for an unknown rollout, VERSION_STATE for one that was given up. */
export async function resumeRollout(context: AppContext, actor: Actor, rolloutId: string): Promise<void> {
  await transact(context, async (tx, next) => {
    const rollout = await tx.rollouts.lock(rolloutId);
    if (rollout === null)
      throw new LockstepError("NOT_FOUND", `Cannot resume: there is no rollout ${rolloutId}.`);
    assertNotNewer(rollout, "resume");
    // It came to its end by itself meanwhile: that is what resuming is for.
    if (rollout.state === "done") return;
    if (rollout.state !== "running" && rollout.state !== "stalled") throw await ended(tx, rollout, "resume");
    const targetIds = await tx.targets.bindingTargets(rollout.secretId);
    // What was set aside for it is tried once more.
    await tx.targets.bumpGenerations(await tx.asides.clear(rolloutId), actor);
    await tx.targets.resume(targetIds);
    await tx.activations.reopen(targetIds);
    await tx.rollouts.setState(rolloutId, "running", null);
    await tx.rollouts.lookAgain(rolloutId, 0);
    await tx.audit.append({
      action: "rollout.resumed",
      actor,
      subject: { kind: "secret", id: rollout.secretId, name: rollout.secretName },
      details: { rollout: rolloutId },
    });
    next.reconcile(targetIds);
  });
}
