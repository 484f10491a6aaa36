/** Changes that units did not start with, set aside while others are tried; see `core/rollout/aside.ts`. */
import type { Aside, UnitChange } from "../rollout/aside.ts";

export interface AsideRepo {
  /** All live bindings of the unit's targets, locked. */
  ofUnit(unitId: string): Promise<readonly (UnitChange & { readonly targetId: string })[]>;
  /** Null: what its rollout asks for counts again. */
  set(bindingId: string, aside: Aside | null): Promise<void>;
  /** Of all its members. Answers the targets where something was set aside. */
  clear(rolloutId: string): Promise<readonly string[]>;
}
