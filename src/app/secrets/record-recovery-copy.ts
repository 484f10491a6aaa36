/**
 * That a copy of the root key exists elsewhere. Only the public name of the key in it comes here: whoever checks a copy
 * reads it on their own machine. Somebody could claim a copy that they lack; what they would silence is a hint.
 */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { AppContext } from "../base/context.ts";

/** Throws RECOVERY_COPY_WRONG for the copy of another key: of an older one, or of another store's. */
export async function recordRecoveryCopy(
  context: AppContext,
  actor: Actor,
  keyId: string,
): Promise<{ readonly keyId: string; readonly checkedAt: string }> {
  if (context.rootKeyId === null) {
    throw new LockstepError(
      "RECOVERY_COPY_WRONG",
      "The copy cannot open this store: its root is a key in Vault, and no root key file.",
      { details: { keyId }, hint: "Keep Vault's own backup: `vault operator raft snapshot save FILE`." },
    );
  }
  if (keyId !== context.rootKeyId) {
    throw new LockstepError(
      "RECOVERY_COPY_WRONG",
      "The copy cannot open this store: it holds another key than the one in use, an older one perhaps.",
      { details: { keyId, inUse: context.rootKeyId } },
    );
  }
  await context.store.transaction(async (tx) => {
    await tx.meta.recordRecoveryCopy(keyId);
    await tx.audit.append({
      action: "store.recovery_copy_checked",
      actor,
      subject: { kind: "store", id: context.storeId, name: "store" },
      details: { keyId },
    });
  });
  return { keyId, checkedAt: context.clock.now().toISOString() };
}
