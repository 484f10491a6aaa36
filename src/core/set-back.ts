/**
 * A store that was set back: its data is older than what it did. It finds out by an order that it meets somewhere and
 * never gave, and from then on it only looks: what it would write is older than what stands.
 */
import { LockstepError } from "./errors.ts";
import { parseOrder } from "./order.ts";

/** In a mark at a place, or in an agent's word. */
export type SeenBy = "mark" | "report";

export interface SetBack {
  readonly at: Date;
  readonly targetId: string;
  /** Where it was seen. */
  readonly target: string;
  readonly environment: string;
  /** The order that was met and never given, as a mark. */
  readonly seen: string;
  readonly by: SeenBy;
}

/** For people: what was met, without the digest. */
export function seenText({ seen }: Pick<SetBack, "seen">): string {
  const order = parseOrder(seen);
  return order === null ? "an order" : `generation ${order.generation} of epoch ${order.epoch}`;
}

export function setBackText(setBack: SetBack): string {
  const where =
    setBack.by === "report"
      ? `the agent of target "${setBack.target}" holds`
      : `target "${setBack.target}" carries`;
  return `${where} ${seenText(setBack)}, which this store never gave`;
}

export const BEGIN_EPOCH = "lockstep epoch begin --reason 'restored from a backup'";

export function storeSetBack(setBack: SetBack): LockstepError {
  return new LockstepError(
    "STORE_SET_BACK",
    `Nothing is moved: this store was set back, or a copy of it runs elsewhere: ${setBackText(setBack)}.`,
    { details: { target: setBack.target, environment: setBack.environment } },
  );
}
