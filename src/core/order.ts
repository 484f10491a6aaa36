/**
 * The order of writes: (store id, epoch, generation). Within one store a higher epoch wins, then a higher
 * generation. Writes of two different stores have no order: a place that carries another store's mark refuses us.
 */
export interface Order {
  readonly storeId: string;
  readonly epoch: number;
  readonly generation: number;
}

export type OrderVerdict = "newer" | "same" | "older" | "foreign-store";

/** How `ours` stands to what a place carries. */
export function compareOrder(ours: Order, theirs: Order): OrderVerdict {
  if (ours.storeId !== theirs.storeId) return "foreign-store";
  const difference = ours.epoch - theirs.epoch || ours.generation - theirs.generation;
  if (difference === 0) return "same";
  return difference > 0 ? "newer" : "older";
}

/** `<store>.<epoch>.<generation>`: the non-secret revision marker left at places. */
export function formatOrder(order: Order): string {
  return `${order.storeId}.${order.epoch}.${order.generation}`;
}

const ORDER_PATTERN = /^([0-9a-f-]{36})\.(\d{1,9})\.(\d{1,15})$/;

/** Null when the text is not a marker of ours. */
export function parseOrder(text: string): Order | null {
  const match = ORDER_PATTERN.exec(text);
  if (match === null) return null;
  const [, storeId = "", epoch = "", generation = ""] = match;
  return { storeId, epoch: Number(epoch), generation: Number(generation) };
}
