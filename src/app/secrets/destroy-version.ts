/** Drops a version's value for good. Backups made before still hold it, and the answer says so. */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { KeptCopy } from "../../core/store/kept-copies.ts";
import type { RolloutRecord } from "../../core/store/rollouts.ts";
import { storeNameOf } from "../../core/stored-value.ts";
import type { AppContext } from "../base/context.ts";
import { findSecret, type SecretName } from "../base/find-secret.ts";
import { discardCopiesOf } from "../push/discard-copies.ts";
import { nameOf, oweRemoval, removeOwed } from "../values/put-value.ts";

/** A rollout retired it, and its time for going back is not over. */
function mayGoBackTo(last: RolloutRecord, version: number): boolean {
  const { state, strategy, fromVersion, endedAtMs, nowMs, options } = last;
  if (state !== "done" || strategy === "replace" || fromVersion !== version || endedAtMs === null)
    return false;
  return nowMs - endedAtMs < options.undoForMs;
}

/**
 * Throws VERSION_IN_USE while anything may still need the value: an open rollout, or a place that was left with it or
 * seen to hold it last, which could not be told from a stranger's, nor restored, without it. Answers the copies that are
 * kept on hosts for restoring and could not be removed yet: they go as soon as their hosts answer.
 */
export async function destroyVersion(
  context: AppContext,
  actor: Actor,
  secret: SecretName,
  version: number,
): Promise<readonly KeptCopy[]> {
  const known = await findSecret(context, secret);
  const gone = await context.store.transaction(async (tx) => {
    await tx.secrets.lockForNewVersion(known.id);
    const found = (await tx.secrets.versions(known.id)).find((one) => one.version === version);
    if (found === undefined) {
      throw new LockstepError("NOT_FOUND", `Cannot destroy: "${secret.name}" has no version ${version}.`);
    }
    await tx.keptCopies.oweOfSecret(known.id);
    if (found.state === "destroyed") return null;
    const open = await tx.rollouts.openOf(known.id);
    const inRollout = open !== null && (open.fromVersion === version || open.toVersion === version);
    if (inRollout || (found.state !== "retired" && found.state !== "abandoned")) {
      throw new LockstepError(
        "VERSION_IN_USE",
        `Cannot destroy v${version} of "${secret.name}": it is ${inRollout ? "part of an open rollout" : found.state}.`,
      );
    }
    const last = await tx.rollouts.lastOf(known.id);
    if (open === null && last !== null && mayGoBackTo(last, version)) {
      throw new LockstepError(
        "VERSION_IN_USE",
        `Cannot destroy v${version} of "${secret.name}" yet: it is kept for going back (\`rotate.undoFor\`).`,
        { details: { rollout: last.id } },
      );
    }
    const holding = await tx.secrets.placesHolding(known.id, version);
    if (holding.length > 0) {
      throw new LockstepError(
        "VERSION_IN_USE",
        `Cannot destroy v${version} of "${secret.name}": it still stands at ${holding.map((name) => `"${name}"`).join(", ")}.`,
        {
          details: { targets: holding },
          hint: "Bring these places up to date, or remove their bindings, then destroy it.",
        },
      );
    }
    const placed = await tx.valuePlaces.of(known.id, version);
    await tx.secrets.moveVersion(known.id, version, "destroyed");
    if (placed !== null) await oweRemoval(context, tx, placed, placed.stored);
    await tx.audit.append({
      action: "version.destroyed",
      actor,
      subject: { kind: "secret", id: known.id, name: known.name },
      details: { version, ...(placed === null ? {} : { values: storeNameOf(placed.stored) }) },
    });
    return placed;
  });
  // Where the value stands elsewhere, it goes now or as soon as that store answers.
  if (gone?.stored.kind === "named") await removeOwed(context, nameOf(gone, gone.stored));
  return await discardCopiesOf(context, known.id);
}
