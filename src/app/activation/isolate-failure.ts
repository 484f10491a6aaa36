/** Takes apart what failed together, one rollout at a time; see `core/rollout/aside.ts`. */
import { SYSTEM } from "../../core/actor.ts";
import { asideOf, isolate, nextToJoin } from "../../core/rollout/aside.ts";
import type { ActivationRecord } from "../../core/store/activations.ts";
import type { Repositories } from "../../core/store/store.ts";

/** In the transaction that ends the activation. Answers the targets that are owed then; null: it cannot be taken apart. */
export async function isolateFailure(
  tx: Repositories,
  { unitId }: ActivationRecord,
  reason: string,
): Promise<readonly string[] | null> {
  const changes = await tx.asides.ofUnit(unitId);
  const isolation = isolate(changes, reason);
  if (isolation === null) return null;
  for (const { bindingId, ...aside } of isolation.setAside) await tx.asides.set(bindingId, aside);
  for (const bindingId of isolation.release) await tx.asides.set(bindingId, null);
  const touched = new Set([...isolation.setAside.map(({ bindingId }) => bindingId), ...isolation.release]);
  return await bump(tx, changes, touched);
}

/** In the transaction that ends an activation well. Answers the targets that are owed then. */
export async function joinNext(tx: Repositories, { unitId }: ActivationRecord): Promise<readonly string[]> {
  const changes = await tx.asides.ofUnit(unitId);
  const next = new Set(nextToJoin(changes));
  for (const change of changes) {
    // What was set aside for a rollout that is over.
    const isStale = change.aside !== null && asideOf(change) === null;
    if (isStale || next.has(change.bindingId)) await tx.asides.set(change.bindingId, null);
  }
  return await bump(tx, changes, next);
}

async function bump(
  tx: Repositories,
  changes: readonly { readonly bindingId: string; readonly targetId: string }[],
  touched: ReadonlySet<string>,
): Promise<readonly string[]> {
  const targetIds = [
    ...new Set(changes.filter(({ bindingId }) => touched.has(bindingId)).map(({ targetId }) => targetId)),
  ].sort();
  await tx.targets.bumpGenerations(targetIds, SYSTEM);
  return targetIds;
}
