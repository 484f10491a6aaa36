/**
 * What each slot of a binding must hold, from the rollout that moves its secret. Pure. Slots are written
 * primary / fallback; `kept` is what the place holds of the two versions already (the old one when it holds neither),
 * `other` the other of them.
 *
 *             verifier         both             caller
 *   accept    kept/other       kept/other       kept/–        overlap
 *   switch    kept/other       new/old          new/–
 *   settle    kept/other       new/old          new/–
 *   retire    new/–            new/–            new/–
 *
 *   stage     kept/–                            kept/other    swap
 *   swap      new/–                             kept/other
 *   switch    new/–                             new/old
 *   settle    new/–                             new/old
 *   retire    new/–                             new/–
 *
 *   switch…   kept/–                            new/–         issued: the issuer accepts both by itself
 *
 *   prepare   old/–            old/–            old/–         replace
 *   commit    new/–            new/–            new/–
 *
 * A verifier's order does not matter while it accepts both, so nothing restarts only to turn it round; and a rollback,
 * which is the same machine with old and new exchanged, finds most places as it needs them. In a held rollout no further
 * caller moves: a verifier is not what it was when callers were sent to it.
 *
 * Without a rollout the primary slot holds the current version. A compromised version is never pushed: a slot that
 * would need one is left as it is.
 */
import type { Role, Slot } from "../secret.ts";
import type { Strategy } from "./strategy.ts";

export interface RolloutView {
  readonly strategy: Strategy;
  readonly phase: string;
  readonly fromVersion: number | null;
  readonly toVersion: number;
  readonly held: boolean;
}

/** What a binding is, as far as its slots depend on it. */
export interface SlotHolder {
  readonly role: Role;
  /** What was settled there last. */
  readonly settled: Readonly<Partial<Record<Slot, number | null>>>;
}

export interface Slots {
  /** Null: nothing is claimed about the place, because the secret has no value yet. */
  readonly primary: number | null;
  /** Null: the slot must not exist. */
  readonly fallback: number | null;
}

export function slotsOf(
  holder: SlotHolder,
  currentVersion: number | null,
  rollout: RolloutView | null,
): Slots {
  if (rollout === null) return only(currentVersion);
  const { fromVersion, toVersion } = rollout;
  // The first version has nothing beside it.
  if (fromVersion === null) return only(rollout.phase === "prepare" ? null : toVersion);
  const settled = holder.settled.primary ?? null;
  const kept = settled === toVersion ? toVersion : fromVersion;
  const turned = { primary: toVersion, fallback: fromVersion };
  const keptBoth = { primary: kept, fallback: kept === toVersion ? fromVersion : toVersion };
  switch (rollout.strategy) {
    case "replace":
      return only(rollout.phase === "prepare" ? fromVersion : toVersion);
    case "issued":
      if (holder.role === "verifier" && rollout.phase !== "retire") return only(kept);
      return only(rollout.held ? kept : toVersion);
    case "overlap":
      switch (rollout.phase) {
        case "accept":
          return holder.role === "caller" ? only(kept) : keptBoth;
        case "switch":
        case "settle":
          if (holder.role === "verifier") return keptBoth;
          if (rollout.held) return holder.role === "caller" ? only(kept) : keptBoth;
          return holder.role === "caller" ? only(toVersion) : turned;
        default:
          return only(toVersion);
      }
    case "swap":
      switch (rollout.phase) {
        case "stage":
          return holder.role === "caller" ? keptBoth : only(kept);
        case "swap":
          return holder.role === "caller" ? keptBoth : only(toVersion);
        case "switch":
        case "settle":
          return holder.role === "caller" ? (rollout.held ? keptBoth : turned) : only(toVersion);
        default:
          return only(toVersion);
      }
    // Of a newer release: nothing is claimed about the place.
    default:
      return only(null);
  }
}

export function sameSlots(left: Slots, right: Slots): boolean {
  return left.primary === right.primary && left.fallback === right.fallback;
}

/** As pairs, for those who go through them; a slot of which nothing is claimed is left out. */
export function slotEntries({ primary, fallback }: Slots): readonly {
  readonly slot: Slot;
  /** Null: the slot must not exist. */
  readonly version: number | null;
}[] {
  if (primary === null) return [];
  return [
    { slot: "primary", version: primary },
    { slot: "fallback", version: fallback },
  ];
}

function only(version: number | null): Slots {
  return { primary: version, fallback: null };
}
