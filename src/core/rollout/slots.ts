/**
 * What each slot of a binding must hold, from the rollout that moves its secret. Pure.
 *
 * Slots of `replace`, the only strategy of this engine version:
 *
 *            prepare        commit …
 *   primary  from           to
 *   fallback –              –
 *
 * Without a rollout the primary slot holds the current version. A compromised version is never pushed: a slot that
 * would need one is left as it is.
 */
import type { Role, Slot } from "../secret.ts";

export type Strategy = "overlap" | "swap" | "issued" | "replace";

/** Raised with every change of meaning; older workers leave rollouts of a newer engine alone. */
export const ENGINE_VERSION = 1;

export interface RolloutView {
  readonly strategy: Strategy;
  readonly phase: string;
  readonly fromVersion: number | null;
  readonly toVersion: number;
}

export interface SlotVersion {
  readonly slot: Slot;
  /** Null: the slot must not exist. */
  readonly version: number | null;
}

export function slotsOf(
  _role: Role,
  currentVersion: number | null,
  rollout: RolloutView | null,
): readonly SlotVersion[] {
  if (rollout !== null && rollout.phase === "prepare") return primary(rollout.fromVersion);
  return primary(currentVersion);
}

/** No version yet means that nothing is claimed about the place: no slot at all rather than an empty one. */
function primary(version: number | null): readonly SlotVersion[] {
  return version === null ? [] : [{ slot: "primary", version }];
}
