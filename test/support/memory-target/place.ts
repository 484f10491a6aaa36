/**
 * Places in this process's memory, by name, and what they are told to do wrong. Tests reach into them from the other
 * side: what really stands there, and which failure comes next.
 */
import type { Order } from "../../../src/core/order.ts";

export type MemoryFault =
  /** A definite no; nothing is done. */
  | { readonly kind: "refused" }
  | { readonly kind: "throttled"; readonly retryAfterMs: number }
  /** No answer within the time. `applied`: it was done all the same. */
  | { readonly kind: "silent"; readonly applied: boolean }
  /** The answer gets lost at once. */
  | { readonly kind: "lost-answer"; readonly applied: boolean };

/** What an activation comes to. */
export type MemoryEnd = "succeeds" | "fails" | "is-blocked" | "goes-on";

export interface Incarnation {
  readonly id: string;
  readonly startedWith: ReadonlyMap<string, string>;
  readonly end: MemoryEnd;
}

export class MemoryPlace {
  readonly values = new Map<string, string>();
  order: Order | null = null;
  /** Changes that arrived, lost answers included. */
  writes = 0;
  /** The oldest first; the last one runs. Empty: never started. */
  readonly incarnations: Incarnation[] = [];
  /** Taken one by one by the requests of that sort. */
  readonly faults: {
    readonly reads: MemoryFault[];
    readonly writes: MemoryFault[];
    readonly activations: MemoryFault[];
  } = {
    reads: [],
    writes: [],
    activations: [],
  };
  readonly ends: MemoryEnd[] = [];

  /** Starts an incarnation with what stands there now. */
  start(): Incarnation {
    const incarnation: Incarnation = {
      id: String(this.incarnations.length + 1),
      startedWith: new Map(this.values),
      end: this.ends.shift() ?? "succeeds",
    };
    this.incarnations.push(incarnation);
    return incarnation;
  }
}

const places = new Map<string, MemoryPlace>();

/** Made at first use. */
export function memoryPlace(name: string): MemoryPlace {
  const place = places.get(name) ?? new MemoryPlace();
  places.set(name, place);
  return place;
}

export function forgetMemoryPlace(name: string): void {
  places.delete(name);
}
