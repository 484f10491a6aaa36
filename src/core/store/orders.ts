import type { Order } from "../order.ts";

/** What a target was given under which order: kept before anything leaves, so that whatever is found is known or not ours. */
export interface OrderRepo {
  /**
   * Keeps it. False, and nothing is kept, when the number was given to something else before: then it must be another
   * number. The target's row must be locked by the caller, or its lease be held.
   */
  give(targetId: string, order: Order): Promise<boolean>;
  /** Whether this store gave it, to whichever target. One without a digest counts where an earlier release pushed by it. */
  knows(order: Order): Promise<boolean>;
}
