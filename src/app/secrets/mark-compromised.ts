/** Somebody else knows this version: it is never pushed, never a fallback and never gone back to from now on. */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { KeptCopy } from "../../core/store/kept-copies.ts";
import type { AppContext } from "../base/context.ts";
import { findSecret, type SecretName } from "../base/find-secret.ts";
import { discardCopiesOf } from "../push/discard-copies.ts";

/**
 * `isInUse`: places hold it, and only a new version ends that. `copies`: kept on hosts for restoring, and not removed yet;
 * they go as soon as their hosts answer. Throws NOT_FOUND.
 */
export async function markCompromised(
  context: AppContext,
  actor: Actor,
  secret: SecretName,
  version: number,
): Promise<{ readonly isInUse: boolean; readonly copies: readonly KeptCopy[] }> {
  const known = await findSecret(context, secret);
  const isInUse = await context.store.transaction(async (tx) => {
    await tx.secrets.lockForNewVersion(known.id);
    const found = (await tx.secrets.versions(known.id)).find((one) => one.version === version);
    if (found === undefined) {
      throw new LockstepError("NOT_FOUND", `Cannot mark it: "${secret.name}" has no version ${version}.`, {
        hint: "`lockstep secret versions` shows them.",
      });
    }
    const isInUse = found.state === "current" || found.state === "retiring" || found.state === "staged";
    await tx.keptCopies.oweOfSecret(known.id);
    if (found.compromisedAt !== null) return isInUse;
    await tx.secrets.markCompromised(known.id, version);
    await tx.audit.append({
      action: "version.compromised",
      actor,
      subject: { kind: "secret", id: known.id, name: known.name },
      details: { version },
    });
    return isInUse;
  });
  return { isInUse, copies: await discardCopiesOf(context, known.id) };
}
