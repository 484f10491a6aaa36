/**
 * What a kind of target must supply to be held to the port. `start` makes one fresh, empty place per test; what is
 * written "around the target" goes there by another way than the code under test.
 *
 * A thin file per implementation: `targetConformance({ name, kind, start, … })`.
 */
import type { Address, UnitSpec } from "../../../src/core/ports/place.ts";
import type { TargetContext } from "../../../src/core/ports/target-context.ts";
import type { DirectKind } from "../../../src/core/ports/target-kind.ts";

/** What a place can be made to do with the next write (or read, where told). */
export type PlaceFault =
  /** A definite no to the next write. */
  | "refuses-write"
  /** Too many requests, to the next write; it says after how long. */
  | "throttles-write"
  /** Takes the next write and never answers; it is done (or not) all the same. */
  | "silent-on-write"
  /** The next write is done, and its answer gets lost. */
  | "loses-answer-to-write"
  /** Never answers the next read. */
  | "silent-on-read"
  /** Nobody is there any more: certainly nothing is sent. */
  | "is-gone";

export interface PlaceUnderTest {
  /** Below the target's name in lockstep.yaml, credentials included. Answers are to be waited for a second at most. */
  readonly raw: unknown;
  /** Below the target's name, with an unknown key inside. */
  readonly rawWithUnknownKey: unknown;
  address(key: string): Address;
  /** Around the target. Null: it does not stand there. */
  stored(key: string): Promise<string | null>;
  /** Around the target: a foreign value. */
  put(key: string, value: string): Promise<void>;
  /** Changes that arrived since the start, as the place counts them; null where it cannot. */
  writes(): Promise<number | null>;
  fault(fault: PlaceFault): Promise<void>;
  /** Ends waiting for whatever the place does on its own; resolves when it rests. */
  settled?(): Promise<void>;
  stop(): Promise<void>;
}

export interface TargetConformance {
  readonly name: string;
  readonly kind: DirectKind;
  /** Why none of it can run here; it is then skipped. */
  readonly lacking?: boolean;
  start(): Promise<PlaceUnderTest>;
  /** Faults that this place cannot be made to have, each with the reason. */
  readonly cannot?: Partial<Record<PlaceFault, string>>;
  /** Keys that must be refused before anything is sent. */
  readonly badKeys: readonly string[];
  /** More values that a place of this kind may find hard. */
  readonly moreValues?: readonly string[];
  /** Whether `follow` compares what a unit was started with. */
  readonly comparesStartValues?: boolean;
  /** Whether it can tell what its unit's process holds; the suite proves that the others do not claim it. */
  readonly showsRunning?: boolean;
  /** Makes the next activation of the unit fail; absent where that cannot be done. */
  failActivation?(place: PlaceUnderTest, unit: UnitSpec): Promise<void>;
}

/** Never a real value: wherever it turns up, something leaked. */
export const CANARY = "canary-8c1d-conformance";

export const STORE_ID = "7d0b3b52-4c1a-4a56-9a0f-1f6d5c2e8a11";
export const OTHER_STORE_ID = "e0a3f1c4-2b6d-4d1e-8f5a-6b7c8d9e0f12";

export function contextFor(recorded: string[] = []): TargetContext {
  return {
    targetName: "place",
    budget: {
      take: async (key) => void recorded.push(key),
      report: async (key) => void recorded.push(key),
    },
    storeId: STORE_ID,
    revisionMarker: true,
  };
}
