/**
 * Desired + observed → what to write. Pure: the heart of the level-triggered loop. A second run over what the first
 * one achieved answers "unchanged" for every key.
 *
 * We change only what we own, and delete only what we wrote:
 *
 *   observed              owned or told to take over    otherwise
 *   equal to desired      unchanged                     unchanged (adopted without a write)
 *   another version of us set                           set
 *   absent                set                           set
 *   unknown value         set, replaced is recorded     blocked
 *   reference             set only when told            blocked
 *   unreadable            set, unless settled there     blocked
 *
 * A key to unset goes only while it holds a version of ours; somebody else's later value stays.
 */
import type { Address, ObservedKey } from "../ports/target.ts";
import type { Slot } from "../secret.ts";
import type { SecretValue } from "../secret-value.ts";

/** `Known`: by what another version is recognised. The value itself here, a code over it where values do not travel. */
export interface DesiredSlot<Known = SecretValue> extends Address {
  readonly bindingId: string;
  readonly secretId: string;
  readonly slot: Slot;
  readonly version: number;
  readonly value: SecretValue;
  /** We settled or adopted something here before, so the key is ours. */
  readonly owned: boolean;
  readonly takeOver: boolean;
  /** The version last settled here; judges what cannot be read. */
  readonly settledVersion: number | null;
  /** Other versions of the secret, rendered for this binding. */
  readonly others: ReadonlyMap<number, Known>;
}

export interface PrunedSlot<Known = SecretValue> extends Address {
  readonly bindingId: string;
  readonly secretId: string;
  readonly slot: Slot;
  /** All versions that we may have written there. */
  readonly known: ReadonlyMap<number, Known>;
}

export type Found =
  | { readonly kind: "version"; readonly version: number }
  | { readonly kind: "unknown" | "absent" }
  | { readonly kind: "unreadable" | "reference"; readonly reason: string };

export interface PlannedItem extends Address {
  readonly bindingId: string;
  readonly secretId: string;
  readonly slot: Slot;
  /** Null for unset. */
  readonly version: number | null;
  readonly action: "set" | "unset" | "unchanged" | "blocked" | "left";
  readonly found: Found;
  /** For set. */
  readonly value: SecretValue | null;
}

/** Equality in constant time is the caller's to give, because it needs a crypto library. */
export type SameValue<Known = SecretValue> = (left: SecretValue | Known, right: SecretValue) => boolean;

export function planChange<Known = SecretValue>(
  desired: readonly DesiredSlot<Known>[],
  pruned: readonly PrunedSlot<Known>[],
  observed: readonly ObservedKey[],
  same: SameValue<Known>,
): readonly PlannedItem[] {
  const seen = new Map(observed.map((entry) => [addressText(entry), entry]));
  return [
    ...desired.map((slot) => planDesired(slot, seen.get(addressText(slot)), same)),
    ...pruned.map((slot) => planPruned(slot, seen.get(addressText(slot)), same)),
  ];
}

function planDesired<Known>(
  slot: DesiredSlot<Known>,
  seen: ObservedKey | undefined,
  same: SameValue<Known>,
): PlannedItem {
  const versions = new Map<number, SecretValue | Known>(slot.others).set(slot.version, slot.value);
  const found = identify(seen, versions, same);
  const action = decide(slot, found);
  return {
    placement: slot.placement,
    key: slot.key,
    bindingId: slot.bindingId,
    secretId: slot.secretId,
    slot: slot.slot,
    version: slot.version,
    action,
    found,
    value: action === "set" ? slot.value : null,
  };
}

function decide(
  slot: Pick<DesiredSlot, "version" | "owned" | "takeOver" | "settledVersion">,
  found: Found,
): "set" | "unchanged" | "blocked" {
  switch (found.kind) {
    case "version":
      return found.version === slot.version ? "unchanged" : "set";
    case "absent":
      return "set";
    case "unknown":
      return slot.owned || slot.takeOver ? "set" : "blocked";
    case "unreadable":
      if (slot.settledVersion === slot.version) return "unchanged";
      return slot.owned || slot.takeOver ? "set" : "blocked";
    case "reference":
      return slot.takeOver ? "set" : "blocked";
  }
}

function planPruned<Known>(
  slot: PrunedSlot<Known>,
  seen: ObservedKey | undefined,
  same: SameValue<Known>,
): PlannedItem {
  const found = identify(seen, slot.known, same);
  return {
    placement: slot.placement,
    key: slot.key,
    bindingId: slot.bindingId,
    secretId: slot.secretId,
    slot: slot.slot,
    version: null,
    action: found.kind === "version" ? "unset" : "left",
    found,
    value: null,
  };
}

/** Which version an observed key holds. The highest matching version wins when two versions are equal. */
export function identify<Known = SecretValue>(
  seen: ObservedKey | undefined,
  versions: ReadonlyMap<number, SecretValue | Known>,
  same: SameValue<Known>,
): Found {
  if (seen === undefined) return { kind: "unreadable", reason: "the place gave no answer for this key" };
  const { observed } = seen;
  switch (observed.state) {
    case "absent":
      return { kind: "absent" };
    case "unreadable":
      return { kind: "unreadable", reason: observed.reason };
    case "reference":
      return { kind: "reference", reason: "it refers to another variable" };
    case "recognised":
      return { kind: "version", version: observed.version };
    case "unrecognised":
      return { kind: "unknown" };
    case "present": {
      let match: number | null = null;
      // No early end: the time taken must not tell which version matched.
      for (const [version, value] of versions) {
        if (same(value, observed.value) && (match === null || version > match)) match = version;
      }
      return match === null ? { kind: "unknown" } : { kind: "version", version: match };
    }
  }
}

export function addressText(address: Address): string {
  return `${address.placement}\u0000${address.key}`;
}
