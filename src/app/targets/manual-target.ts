/** A system in other hands as a target: what a person said stands there stands there. Nothing is written to it. */
import { LockstepError } from "../../core/errors.ts";
import type { Address } from "../../core/ports/place.ts";
import type { Target, TargetObservation } from "../../core/ports/target.ts";
import { addressText } from "../../core/reconcile/plan-change.ts";
import type { AppContext } from "../base/context.ts";

/** `targetId`: null before the target is stored. */
export function manualTarget(context: AppContext, targetId: string | null): Target {
  return {
    probe: async () => ({
      ok: true,
      checks: [{ name: "reach", ok: true, message: "a person brings values there" }],
    }),
    observe: (addresses) => observeManual(context, targetId, addresses),
    apply: async () => {
      throw new LockstepError("UNSUPPORTED", "Only a person brings values to a manual target.");
    },
    activator: null,
    close: async () => {},
  };
}

export async function observeManual(
  context: AppContext,
  targetId: string | null,
  addresses: readonly Address[],
): Promise<TargetObservation> {
  const said = targetId === null ? [] : await context.store.read.manual.places(targetId);
  const known = new Map(said.map((place) => [addressText(place), place.version]));
  return {
    keys: addresses.map(({ placement, key }) => {
      const version = known.get(addressText({ placement, key }));
      return {
        placement,
        key,
        observed: version === undefined ? { state: "absent" } : { state: "recognised", version },
      };
    }),
    orders: [],
    units: [],
  };
}
