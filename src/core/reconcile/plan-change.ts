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
 *   unreadable            set when told, or unless      blocked
 *                         settled there
 *
 * A key to unset goes only while it holds a version of ours; somebody else's later value stays.
 */
import type { Address, ObservedKey } from "../ports/place.ts";
import type { Slot } from "../secret.ts";
import { SecretValue } from "../secret-value.ts";

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
  /** `staged`: somebody prepared another value at the place, and did not commit it yet. */
  | { readonly kind: "version"; readonly version: number; readonly staged?: true }
  /** `nearly`: what it would be, but for how it was written there. */
  | { readonly kind: "unknown"; readonly nearly?: string }
  | { readonly kind: "absent" }
  | { readonly kind: "unreadable" | "reference"; readonly reason: string };

/** Words by which a finding is told from others of its kind, as they are stored. */
export const REFERENCE_REASON = "it refers to another variable";
export const STAGED_REASON = "somebody staged another value there; once it is committed, that one counts";

/** What was found is a value of ours, and does not belong there: `it is v3 of staging's AUTH`. */
export function elsewhereText(found: {
  readonly version: number;
  readonly name: string;
  /** Null: the same as the place's. */
  readonly environment: string | null;
  /** An old version of the very secret, from before those that are compared one by one. */
  readonly isOwn: boolean;
}): string {
  const { version, name, environment, isOwn } = found;
  if (isOwn) return `it is v${version}, from long ago`;
  return `it is v${version} of ${environment === null ? "" : `${environment}'s `}${name}`;
}

export function isElsewhere(reason: string): boolean {
  return /^it is v\d+ of /.test(reason);
}

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
  const found = identify(seen, versions, same, slot.version);
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
      // Told to: the service says that it is not what was written last.
      if (slot.takeOver) return "set";
      if (slot.settledVersion === slot.version) return "unchanged";
      return slot.owned ? "set" : "blocked";
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

/**
 * Which version an observed key holds. The highest matching version wins when two versions are equal. Where the bytes may
 * stand for two values, the `wanted` version wins if either is it.
 */
export function identify<Known = SecretValue>(
  seen: ObservedKey | undefined,
  versions: ReadonlyMap<number, SecretValue | Known>,
  same: SameValue<Known>,
  wanted: number | null = null,
): Found {
  if (seen === undefined) return { kind: "unreadable", reason: "the place gave no answer for this key" };
  const { observed } = seen;
  switch (observed.state) {
    case "absent":
      return { kind: "absent" };
    case "unreadable":
      return { kind: "unreadable", reason: observed.reason };
    case "reference":
      return { kind: "reference", reason: REFERENCE_REASON };
    case "recognised":
      return { kind: "version", version: observed.version };
    case "unrecognised":
      return { kind: "unknown", ...(observed.nearly === undefined ? {} : { nearly: observed.nearly }) };
    case "present": {
      const version = heldVersion(observed, versions, same, wanted);
      if (version !== null)
        return { kind: "version", version, ...(seen.pendingManualChange ? { staged: true as const } : {}) };
      return { kind: "unknown", ...nearlyOf(observed.value, seen.key, versions, same) };
    }
  }
}

function heldVersion<Known>(
  { value, or }: { readonly value: SecretValue; readonly or?: SecretValue },
  versions: ReadonlyMap<number, SecretValue | Known>,
  same: SameValue<Known>,
  wanted: number | null,
): number | null {
  const likelier = versionOf(value, versions, same);
  const other = or === undefined ? null : versionOf(or, versions, same);
  return other !== null && (likelier === null || other === wanted) ? other : likelier;
}

function versionOf<Known>(
  value: SecretValue,
  versions: ReadonlyMap<number, SecretValue | Known>,
  same: SameValue<Known>,
): number | null {
  let match: number | null = null;
  // No early end: the time taken must not tell which version matched.
  for (const [version, known] of versions) {
    if (same(known, value) && (match === null || version > match)) match = version;
  }
  return match;
}

/** What people and their tools add to a value when they copy it. */
const ADDED: readonly (readonly [strip: (text: string, key: string) => string, how: string])[] = [
  [(text) => text.replace(/[\r\n]+$/, ""), "with a line break at its end"],
  [(text) => text.trim(), "with blanks around it"],
  [(text) => text.trim().replace(/^(["'`])(.*)\1$/s, "$2"), "in quotes"],
  [
    (text, key) => (text.startsWith(`${key}=`) ? text.slice(key.length + 1) : text),
    "with its name before it",
  ],
  [(text) => text.replace(/^Bearer /i, ""), "with `Bearer` before it"],
  [(text) => decoded(text), "in base64"],
];

function nearlyOf<Known>(
  value: SecretValue,
  key: string,
  versions: ReadonlyMap<number, SecretValue | Known>,
  same: SameValue<Known>,
): { readonly nearly?: string } {
  const text = value.reveal();
  for (const [strip, how] of ADDED) {
    const stripped = strip(text, key);
    if (stripped === text || stripped === "") continue;
    const version = versionOf(SecretValue.of(stripped), versions, same);
    if (version !== null) return { nearly: `it is v${version} ${how}` };
  }
  return {};
}

function decoded(text: string): string {
  return /^[A-Za-z0-9+/_-]+={0,2}$/.test(text) ? Buffer.from(text, "base64").toString("utf8") : text;
}

export function addressText(address: Address): string {
  return `${address.placement}\u0000${address.key}`;
}
