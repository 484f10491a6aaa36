/**
 * A target that misbehaves on command, to force into the loop what real places do rarely: lost answers, writes that
 * land late, restarts that fail. Kinds with real wires are tested against real servers.
 */
import { LockstepError } from "../../src/core/errors.ts";
import { compareOrder, type Order } from "../../src/core/order.ts";
import type { ActivationProgress, Activator } from "../../src/core/ports/activator.ts";
import type { Address, Observed, UnitSpec } from "../../src/core/ports/place.ts";
import type { Change, Target } from "../../src/core/ports/target.ts";
import type { DirectKind, TargetCapabilities } from "../../src/core/ports/target-kind.ts";
import { SecretValue } from "../../src/core/secret-value.ts";

export type WriteBehaviour =
  | { readonly kind: "ok" }
  | { readonly kind: "refused"; readonly error: LockstepError }
  /** The answer got lost; the write happened at once, never, or happens when `release` is called. */
  | { readonly kind: "lost"; readonly applied: "at-once" | "never" | "late" };

export class ScriptedPlace {
  readonly values = new Map<string, string>();
  readonly writes: Change[] = [];
  readonly nextWrites: WriteBehaviour[] = [];
  readonly nextActivations: ("ok" | "fail")[] = [];
  readonly lateWrites: (() => void)[] = [];
  /** What following shows, in its order, in place of how it stands. */
  readonly nextProgress: ActivationProgress[] = [];
  /** Values with which the unit does not start. */
  cannotStartWith: (values: ReadonlyMap<string, string>) => boolean = () => false;
  /** Runs before each write is sent: a test may hold a worker here. */
  beforeWrite: () => Promise<void> = async () => {};
  order: Order | null = null;
  /** Runs before each look. */
  beforeLook: () => Promise<void> = async () => {};
  /** It keeps the mark of what was written last, whatever that was: Railway does. */
  keepsMarks = false;
  /** Looks that fail, in their order. */
  readonly nextLooks: (LockstepError | null)[] = [];
  conditionalWrite = false;
  inFlightMs = 0;
  unreadable = false;
  isAway = false;
  observes = 0;
  incarnation = 1;
  /** What the running process was started with. */
  running = new Map<string, string>();
  restarts = 0;
  restores = 0;
  discards = 0;
  /** What stood here before the last write, where that write asked for a copy. */
  copy: ReadonlyMap<string, string> | null = null;

  releaseLateWrites(): void {
    for (const write of this.lateWrites.splice(0)) write();
  }
}

const places = new Map<string, ScriptedPlace>();

/** Config: `{ "place": "<name>" }`. Each place is one unit. */
export function scriptedPlace(name: string): ScriptedPlace {
  const place = places.get(name) ?? new ScriptedPlace();
  places.set(name, place);
  return place;
}

function placeName(config: { readonly [key: string]: unknown }): string {
  return String(config["place"]);
}

export const scriptedKind: DirectKind = {
  kind: "memory",
  delivery: "direct",
  parse: (raw) => ({ config: raw as { place: string }, credentials: null }),
  destination: (config) => `memory:${placeName(config)}`,
  locationKey: (config, placement) => `memory:${placeName(config)}:${placement}`,
  resolvePlacement: () => "",
  capabilities: (config): TargetCapabilities => {
    const place = scriptedPlace(placeName(config));
    return {
      maxEvidence: "deployed",
      readable: true,
      deletable: true,
      conditionalWrite: place.conditionalWrite,
      inFlightMs: place.inFlightMs,
    };
  },
  units: (config) => [unitOf(config)],
  assertHoldable: () => {},
  open: (config) => openScripted(placeName(config), unitOf(config)),
};

/** `unit`: where it is not the place itself. */
function unitOf(config: { readonly [key: string]: unknown }): UnitSpec {
  const name = String(config["unit"] ?? placeName(config));
  return { key: `memory:${name}`, name, kind: "memory", config: {}, followGroup: `memory:${name}` };
}

function openScripted(name: string, unit: UnitSpec): Target {
  const place = scriptedPlace(name);
  return {
    probe: async () => ({ ok: true, checks: [] }),
    observe: async (addresses) => {
      await place.beforeLook();
      place.observes += 1;
      const unseen = place.nextLooks.shift() ?? null;
      if (unseen !== null) throw unseen;
      return {
        keys: addresses.map((address) => ({ ...address, observed: look(place, address) })),
        orders: place.order === null ? [] : [place.order],
        units: [unit],
      };
    },
    apply: async (change, order, signal) => {
      await place.beforeWrite();
      signal.throwIfAborted();
      const behaviour = place.nextWrites.shift() ?? { kind: "ok" };
      if (behaviour.kind === "refused") throw behaviour.error;
      if (place.conditionalWrite && place.order !== null && compareOrder(order, place.order) === "older") {
        throw new LockstepError("ORDER_REFUSED", "the place carries a newer write");
      }
      place.writes.push(change);
      place.copy = change.keepCopies === true ? new Map(place.values) : null;
      const land = (): void => applyChange(place, change, order);
      if (behaviour.kind === "lost") {
        if (behaviour.applied === "at-once") land();
        if (behaviour.applied === "late") place.lateWrites.push(land);
        throw new LockstepError("TARGET_OUTCOME_UNKNOWN", "no answer came");
      }
      land();
      return { outcome: "changed" };
    },
    activator: scriptedActivator(place),
    restorer: {
      keeps: true,
      restore: async () => {
        if (place.copy === null) throw new LockstepError("NOT_FOUND", "no copy is kept");
        place.restores += 1;
        place.copy = null;
        place.values.clear();
        for (const [key, value] of place.running) place.values.set(key, value);
      },
      kept: async (placements) => (place.copy === null ? [] : placements),
      discard: async () => {
        if (place.isAway) throw new LockstepError("TARGET_UNREACHABLE", "away");
        place.discards += 1;
        place.copy = null;
      },
    },
    close: async () => {},
  };
}

function applyChange(place: ScriptedPlace, change: Change, order: Order): void {
  for (const { key, value } of change.set) place.values.set(key, value.reveal());
  for (const { key } of change.unset) place.values.delete(key);
  if (place.conditionalWrite || place.keepsMarks) place.order = order;
}

function look(place: ScriptedPlace, address: Address): Observed {
  if (place.unreadable) return { state: "unreadable", reason: "sealed" };
  const value = place.values.get(address.key);
  return value === undefined ? { state: "absent" } : { state: "present", value: SecretValue.of(value) };
}

function scriptedActivator(place: ScriptedPlace): Activator {
  return {
    prepare: async () => ({ knownIds: [String(place.incarnation)], dormant: false }),
    activate: async () => {
      place.restarts += 1;
      if (place.nextActivations.shift() === "fail" || place.cannotStartWith(place.values)) {
        throw new LockstepError("ACTIVATION_FAILED", "the unit did not start");
      }
      place.incarnation += 1;
      place.running = new Map(place.values);
      return { id: String(place.incarnation) };
    },
    follow: async (asked) =>
      asked.map(({ knownIds }): ActivationProgress => {
        const scripted = place.nextProgress.shift();
        if (scripted !== undefined) return scripted;
        const id = String(place.incarnation);
        if (knownIds.includes(id)) return { state: "not-started", reason: "nothing newer runs" };
        return { state: "succeeded", id, incarnation: { id } };
      }),
  };
}
