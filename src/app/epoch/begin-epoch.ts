/**
 * A person's word that this store counts from now on, whatever a life of it that is gone has given. The entry is signed
 * for agents, which take orders of a new epoch with it alone. Every target is visited again: what stands there and is
 * known is settled without a write; what is not known is foreign, and stays until a person says otherwise.
 */
import type { Actor } from "../../core/actor.ts";
import { signEpoch } from "../../protocol/agent/epoch.ts";
import type { AppContext } from "../base/context.ts";
import { transact } from "../base/transaction.ts";
import { openBundleKey } from "../orders/store-keys.ts";

export interface Begun {
  readonly epoch: number;
  readonly previous: number;
  /** Targets that are visited now. */
  readonly targets: number;
}

export async function beginEpoch(
  context: AppContext,
  actor: Actor,
  { reason }: { readonly reason: string },
): Promise<Begun> {
  const key = await openBundleKey(context);
  const at = context.clock.now().toISOString();
  return await transact(context, async (tx, next) => {
    const previous = await tx.meta.lockEpoch();
    const setBack = await tx.meta.setBack();
    const epoch = previous + 1;
    const content = { v: 1, kind: "epoch", storeId: context.storeId, epoch, previous, at, reason } as const;
    await tx.meta.beginEpoch({ epoch, signed: await signEpoch(content, key), reason, actor });
    const visited = await tx.targets.beginEpoch(actor);
    await tx.audit.append({
      action: "store.epoch_begun",
      actor,
      subject: { kind: "store", id: context.storeId, name: "store" },
      details: { epoch, previous, reason, wasSetBack: setBack !== null, targets: visited.length },
    });
    next.reconcile(visited);
    return { epoch, previous, targets: visited.length };
  });
}
