/**
 * The order of writes: (store id, epoch, generation), a fencing token: a place refuses a write that carries a lower one
 * than it has seen. Within one store a higher epoch wins, then a higher generation. Writes of two different stores have no order: a place that carries another store's mark refuses us.
 *
 * A generation is given to one content alone, which the digest names: the same number with another digest was given
 * twice, so that one of the two came from a store that had lost the other.
 */
export interface Order {
  readonly storeId: string;
  readonly epoch: number;
  readonly generation: number;
  /**
   * Over what is held under this order, keyed: it tells nobody a value, and only the store makes it. 64 hex digits. Null:
   * left by a release that wrote none, which passes at its own number.
   */
  readonly digest: string | null;
}

/** Of a digest: what names the content alone, whatever its number. */
export const CONTENT_DIGITS = 32;

/** `disputed`: the same number, given to something else. */
export type OrderVerdict = "newer" | "same" | "disputed" | "older" | "foreign-store";

/** How `ours` stands to what a place carries. Only `newer` and `same` may be written. */
export function compareOrder(ours: Order, theirs: Order): OrderVerdict {
  if (ours.storeId !== theirs.storeId) return "foreign-store";
  const difference = ours.epoch - theirs.epoch || ours.generation - theirs.generation;
  if (difference !== 0) return difference > 0 ? "newer" : "older";
  return theirs.digest === null || theirs.digest === ours.digest ? "same" : "disputed";
}

export function mayWrite(ours: Order, theirs: Order): boolean {
  const verdict = compareOrder(ours, theirs);
  return verdict === "newer" || verdict === "same";
}

/** `<store>.<epoch>.<generation>.<digest>`: the non-secret revision marker left at places. */
export function formatOrder({ storeId, epoch, generation, digest }: Order): string {
  const number = `${storeId}.${epoch}.${generation}`;
  return digest === null ? number : `${number}.${digest}`;
}

const ORDER_PATTERN = /^([0-9a-f-]{36})\.(\d{1,9})\.(\d{1,15})(?:\.([0-9a-f]{64}))?$/;

/** Null when the text is not a marker of ours. */
export function parseOrder(text: string): Order | null {
  const match = ORDER_PATTERN.exec(text);
  if (match === null) return null;
  const [, storeId = "", epoch = "", generation = "", digest = null] = match;
  return { storeId, epoch: Number(epoch), generation: Number(generation), digest };
}
