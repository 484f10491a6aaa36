/** The port for what is kept of a place while a change is tried. */
import type { Order } from "../order.ts";

/** Putting back what a write replaced, for a change that its unit cannot run with. */
export interface Restorer {
  /** Whether anything is ever put back here: only a unit that may fail to start with a change needs what stood before. */
  readonly keeps: boolean;
  /**
   * Puts the kept copies of these placements back. `order` must be newer than the write's. NOT_FOUND when a copy is
   * missing: then nothing was put back.
   */
  restore(placements: readonly string[], order: Order, signal: AbortSignal): Promise<void>;
  /** Of these placements those that a copy is kept of. */
  kept(placements: readonly string[], signal: AbortSignal): Promise<readonly string[]>;
  /** Removes the kept copies: the unit runs well with the change. Repeating is harmless. */
  discard(placements: readonly string[], signal: AbortSignal): Promise<void>;
}
