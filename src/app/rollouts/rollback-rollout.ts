/**
 * Goes back: the same machine with old and new exchanged. As long as no caller was sent to the new version, its removal
 * is all there is to do; afterwards verifiers keep (or get back) both before a single caller returns.
 */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import { firstPhase } from "../../core/rollout/strategy.ts";
import type { RolloutRecord } from "../../core/store/rollouts.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { AppContext } from "../base/context.ts";
import { transact } from "../base/transaction.ts";
import { assertNotNewer } from "../desired/newer-rollout.ts";
import { ended } from "./ended-rollout.ts";
import { abandon, areTwoInUse, startRollout } from "./start-rollout.ts";

/** Answers the new rollout, or the one that goes or went back on it already. Throws NOT_FOUND, VERSION_STATE, VERSION_COMPROMISED. */
export async function rollbackRollout(context: AppContext, actor: Actor, rolloutId: string): Promise<string> {
  return await transact(context, async (tx, next) => {
    const rollout = await tx.rollouts.lock(rolloutId);
    if (rollout === null)
      throw new LockstepError("NOT_FOUND", `Cannot roll back: there is no rollout ${rolloutId}.`, {
        hint: "`lockstep rollout list` shows the rollouts.",
      });
    assertNotNewer(rollout, "roll back");
    const newest =
      (await tx.rollouts.openOf(rollout.secretId)) ?? (await tx.rollouts.lastOf(rollout.secretId));
    if (newest?.rollbackOf === rollout.id && newest.state !== "abandoned" && newest.state !== "failed")
      return newest.id;
    const secret = await tx.secrets.findById(rollout.secretId);
    if (secret === null)
      throw new LockstepError("NOT_FOUND", "Cannot roll back: the secret is not configured any more.");
    const back = await assertMayGoBack(tx, rollout, context.clock.now());
    const isOpen = rollout.state === "running" || rollout.state === "stalled";
    const inUse = !isOpen || (await areTwoInUse(tx, rollout));
    if (isOpen) await abandon(tx, actor, rollout, "rolled back");
    return startRollout(context, tx, next, actor, {
      secret,
      fromVersion: rollout.toVersion,
      toVersion: back,
      strategy: rollout.strategy,
      urgent: rollout.urgent,
      rollbackOf: rollout,
      // Nobody was sent to it: nobody needs to return, and others that accept it may stop.
      phase: inUse || rollout.strategy === "replace" ? firstPhase(rollout.strategy) : "retire",
    });
  });
}

async function assertMayGoBack(tx: Repositories, rollout: RolloutRecord, now: Date): Promise<number> {
  const { id, secretId, secretName, fromVersion, toVersion, state } = rollout;
  const cannot = (why: string): LockstepError =>
    new LockstepError("VERSION_STATE", `Cannot roll back rollout ${id}: ${why}.`, {
      details: { rollout: id },
    });
  if (fromVersion === null) throw cannot(`v${toVersion} is the first version of "${secretName}"`);
  if (state === "abandoned" || state === "failed") throw await ended(tx, rollout, "roll back");
  if (state === "done") {
    const last = await tx.rollouts.lastOf(secretId);
    if (last?.id !== id || (await tx.rollouts.openOf(secretId)) !== null)
      throw cannot("a newer one came after it");
    const { undoForMs } = rollout.options;
    if (rollout.endedAtMs !== null && rollout.nowMs - rollout.endedAtMs > undoForMs)
      throw cannot("the time for going back is over (`rotate.undoFor`)");
  }
  const old = (await tx.secrets.versions(secretId)).find(({ version }) => version === fromVersion);
  if (old === undefined || old.state === "destroyed") throw cannot(`v${fromVersion} is destroyed`);
  if (old.expiresAt !== null && old.expiresAt <= now)
    throw cannot(`v${fromVersion} expired at ${old.expiresAt.toISOString()}, so everybody would be refused`);
  if (old.compromisedAt !== null) {
    throw new LockstepError(
      "VERSION_COMPROMISED",
      `Cannot roll back rollout ${id}: v${fromVersion} of "${secretName}" is compromised.`,
    );
  }
  return fromVersion;
}
