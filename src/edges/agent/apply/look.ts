/**
 * Looks at every place of a bundle and plans, with the rules of all targets: files through the host, a child's
 * environment through what is staged for it. A file that cannot be looked at concerns its own keys alone.
 *
 * Versions are recognised by a code over them (HMAC under the bundle's own key), so older values need not travel.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { observeFiles } from "../../../adapters/placements/placement.ts";
import { type LockstepError, toLockstepError } from "../../../core/errors.ts";
import type { Address, ObservedKey } from "../../../core/ports/place.ts";
import {
  type DesiredSlot,
  type Found,
  type PlannedItem,
  type PrunedSlot,
  planChange,
  type SameValue,
} from "../../../core/reconcile/plan-change.ts";
import { SecretValue } from "../../../core/secret-value.ts";
import { groupBy } from "../../../lib/group-by.ts";
import type { Bundle, ReportedItem } from "../../../protocol/agent/messages.ts";
import type { AgentContext } from "../context.ts";
import type { Allowed } from "./allowed.ts";

const NO_CHILD =
  "it is for a process, and this agent starts none: use `lockstep run -- CMD`, or bind it to a file";

/** By which a version is recognised. */
export interface VersionCode {
  readonly code: string;
}

export interface Looked {
  readonly items: readonly PlannedItem[];
  /** Places that could not be looked at. */
  readonly failures: readonly LockstepError[];
}

export async function look(
  context: AgentContext,
  bundle: Bundle,
  allowed: Allowed,
  signal: AbortSignal,
): Promise<Looked> {
  const slots = bundle.slots.map(desiredOf);
  const pruned = bundle.pruned.map(prunedOf);
  const same = sameUnder(bundle.macKey);
  const failures: LockstepError[] = [];
  const items: PlannedItem[] = [];
  const isBarred = (slot: Address): boolean => whyNot(context, allowed, slot) !== null;
  const barred = { slots: slots.filter(isBarred), pruned: pruned.filter(isBarred) };
  items.push(...leaveAlone(barred, (slot) => whyNot(context, allowed, slot) ?? ""));
  const open = [...slots, ...pruned].filter((slot) => !isBarred(slot));
  for (const [placement, addresses] of groupBy<Address>(open, (slot) => slot.placement)) {
    const isHere = (slot: Address): boolean => slot.placement === placement && !isBarred(slot);
    const here = { slots: slots.filter(isHere), pruned: pruned.filter(isHere) };
    try {
      const observed =
        placement === ""
          ? observeChild(context, addresses)
          : (await observeFiles(context.host, allowed.files, addresses, signal)).keys;
      items.push(...planChange(here.slots, here.pruned, observed, same));
    } catch (error) {
      const failure = toLockstepError(error);
      failures.push(failure);
      items.push(...leaveAlone(here, () => failure.message));
    }
  }
  return { items, failures };
}

export function isWrite(item: PlannedItem): boolean {
  return item.action === "set" || item.action === "unset";
}

export function reportedItem(item: PlannedItem): ReportedItem {
  const { value: _value, found, ...rest } = item;
  return { ...rest, found: reportedFound(found) };
}

function reportedFound(found: Found): ReportedItem["found"] {
  switch (found.kind) {
    case "version":
      return { kind: "version", version: found.version };
    case "unreadable":
      return { kind: "unreadable", reason: found.reason.slice(0, 500) };
    case "absent":
      return { kind: "absent" };
    case "unknown":
      return { kind: "unknown", ...(found.nearly === undefined ? {} : { nearly: found.nearly }) };
    case "reference":
      return { kind: "unknown" };
  }
}

function whyNot({ child }: AgentContext, allowed: Allowed, slot: Address): string | null {
  if (slot.placement === "" && child === null) return NO_CHILD;
  return allowed.whyNot(slot);
}

function observeChild({ child }: AgentContext, wanted: readonly Address[]): readonly ObservedKey[] {
  return wanted.map(({ placement, key }) => {
    const value = child?.staged.get(key);
    return {
      placement,
      key,
      observed: value === undefined ? { state: "absent" } : { state: "present", value },
    };
  });
}

function leaveAlone(
  here: {
    readonly slots: readonly DesiredSlot<VersionCode>[];
    readonly pruned: readonly PrunedSlot<VersionCode>[];
  },
  why: (slot: Address) => string,
): readonly PlannedItem[] {
  const common = ({
    placement,
    key,
    bindingId,
    secretId,
    slot,
  }: PrunedSlot<VersionCode> | DesiredSlot<VersionCode>) => ({
    placement,
    key,
    bindingId,
    secretId,
    slot,
    value: null,
    found: { kind: "unreadable", reason: why({ placement, key }) } as const,
  });
  return [
    ...here.slots.map((slot) => ({ ...common(slot), version: slot.version, action: "blocked" as const })),
    ...here.pruned.map((slot) => ({ ...common(slot), version: null, action: "left" as const })),
  ];
}

export function desiredOf(slot: Bundle["slots"][number]): DesiredSlot<VersionCode> {
  const { known, value, secret: _name, ...rest } = slot;
  return { ...rest, value: SecretValue.of(value), others: codesOf(known) };
}

function prunedOf(slot: Bundle["pruned"][number]): PrunedSlot<VersionCode> {
  const { known, secret: _name, ...rest } = slot;
  return { ...rest, known: codesOf(known) };
}

function codesOf(known: Bundle["slots"][number]["known"]): ReadonlyMap<number, VersionCode> {
  return new Map(known.map(({ version, mac }) => [version, { code: mac }]));
}

/** In constant time: whoever measures learns nothing about what stands at a place. */
export function sameUnder(macKey: string): SameValue<VersionCode> {
  const key = Buffer.from(macKey, "base64url");
  return (known, observed) => {
    if (known instanceof SecretValue) return timingSafeEqual(digest(known), digest(observed));
    const expected = Buffer.from(known.code, "base64url");
    const code = createHmac("sha256", key).update(observed.reveal()).digest();
    return expected.length === code.length && timingSafeEqual(expected, code);
  };
}

function digest(value: SecretValue): Buffer {
  return createHash("sha256").update(value.reveal()).digest();
}
