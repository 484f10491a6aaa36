/**
 * An order that an agent says it has taken. One that this store never gave, and that no other than a copy of it can have
 * given, shows that the store was set back; until then nothing of that target is known.
 */
import { LockstepError, toLockstepError } from "../../../core/errors.ts";
import type { Order } from "../../../core/order.ts";
import type { TargetRecord } from "../../../core/store/targets.ts";
import type { AppContext } from "../../base/context.ts";
import { judgeOrders } from "../../orders/judge-orders.ts";

const UNKNOWN_ORDER = "its agent holds what this store never gave";

/** Throws STORE_SET_BACK, ORDER_REFUSED. */
export async function judgeReportedOrder(
  context: AppContext,
  target: Pick<TargetRecord, "generation" | "id" | "name">,
  order: Order,
): Promise<void> {
  try {
    await judgeOrders(context, target, [order], "report");
  } catch (error) {
    if (isOrders(error)) await markUnreadable(context, target);
    throw error;
  }
}

function isOrders(error: unknown): boolean {
  const { code } = toLockstepError(error);
  return code === "STORE_SET_BACK" || code === "ORDER_REFUSED";
}

/** What was seen there before says nothing any more: the agent and this store speak of different things. */
async function markUnreadable(context: AppContext, { id }: Pick<TargetRecord, "id">): Promise<void> {
  const { store } = context;
  const bindings = await store.read.targets.bindings(id);
  await store.transaction((tx) =>
    tx.pushes.observe(
      bindings.map((binding) => ({
        bindingId: binding.id,
        slot: "primary",
        pushId: null,
        found: "unreadable",
        version: null,
        reason: UNKNOWN_ORDER,
      })),
    ),
  );
}

export function neverGiven(): LockstepError {
  return new LockstepError(
    "ORDER_REFUSED",
    "Cannot take the report: it speaks of an order that was never given.",
  );
}
