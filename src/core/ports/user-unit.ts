import type { UnitSpec } from "./target.ts";

/** What takes a key from a place that is not its own, by a reference there. */
export interface UserUnit extends UnitSpec {
  /** Canonical name of its own place: whose keys are bound there, it restarts with them. */
  readonly place: string;
  /** Keys of the place that was looked at. */
  readonly keys: readonly string[];
}
