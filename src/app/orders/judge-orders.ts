/**
 * Compares what is found with what was ever given. An order of this store that is genuine and that it does not know of
 * proves that it was set back, or that a copy of it runs elsewhere: whatever it would write now may be older than what
 * stands. Every place is then only looked at, until a person begins a new epoch.
 *
 * What anybody can have made up (it bears no digest, or none that the store's key made) is that place's own trouble:
 * nobody who holds one host stops all the others by it.
 */
import { SYSTEM } from "../../core/actor.ts";
import { invariant } from "../../core/invariant.ts";
import { formatOrder, type Order } from "../../core/order.ts";
import { type SeenBy, seenText, storeSetBack } from "../../core/set-back.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import { isGenuine, notGenuine } from "./given-order.ts";

type Place = Pick<TargetRecord, "id" | "name" | "generation">;

/** Throws STORE_SET_BACK once everything stands still, ORDER_REFUSED for a mark that was made up. Others' marks are left. */
export async function judgeOrders(
  context: AppContext,
  target: Place,
  orders: readonly Order[],
  by: SeenBy,
): Promise<void> {
  const own = orders.filter(({ storeId }) => storeId === context.storeId);
  if (own.length === 0) return;
  const { read } = context.store;
  const epoch = await read.meta.epoch();
  for (const order of own) {
    // What a life before the last `epoch begin` left is what that epoch was begun for.
    if (order.epoch < epoch || (await isKnown(context, target, order, epoch))) continue;
    if (!isGenuine(context, order)) throw notGenuine(target.name, order);
    await freeze(context, target, order, by);
  }
}

/** A mark of a release that wrote no digests passes up to the number that the target has. */
async function isKnown(
  { store }: AppContext,
  { generation }: Place,
  order: Order,
  epoch: number,
): Promise<boolean> {
  if (order.digest === null && order.epoch === epoch && order.generation <= generation) return true;
  return await store.read.orders.knows(order);
}

/** Always throws. */
async function freeze(context: AppContext, target: Place, order: Order, by: SeenBy): Promise<never> {
  const seen = formatOrder(order);
  const setBack = await context.store.transaction(async (tx) => {
    if (await tx.meta.freeze({ targetId: target.id, seen, by })) {
      await tx.audit.append({
        action: "store.set_back",
        actor: SYSTEM,
        subject: { kind: "store", id: context.storeId, name: "store" },
        details: { target: target.name, targetId: target.id, by, seen: seenText({ seen }) },
      });
    }
    return await tx.meta.setBack();
  });
  invariant(setBack !== null, "a store that was found to be set back is");
  context.log.error("store set back", { target: target.name, by });
  throw storeSetBack(setBack);
}
