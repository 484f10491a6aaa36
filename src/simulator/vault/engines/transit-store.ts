/** What the routes of Transit work on: one mount's keys. */
import type { VaultClock } from "../clock.ts";
import type { Features } from "../modes.ts";
import type { TransitKey } from "./transit-key.ts";

export interface TransitStore {
  readonly features: Features;
  readonly clock: VaultClock;
  readonly keys: Map<string, TransitKey>;
}

/** Of a key in a path. */
export const NAME = "(?<name>\\w(?:[\\w.-]*\\w)?)";
