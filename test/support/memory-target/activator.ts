/** Restarts the one unit of a place in memory: each incarnation keeps what it was started with. */
import type { ActivationProgress, Activator, FollowedActivation } from "../../../src/core/ports/activator.ts";
import type { UnitSpec } from "../../../src/core/ports/place.ts";
import type { TargetContext } from "../../../src/core/ports/target-context.ts";
import { request } from "./client.ts";
import type { MemoryConfig } from "./config.ts";
import { type Incarnation, type MemoryPlace, memoryPlace } from "./place.ts";

export function unitOf({ place }: MemoryConfig): UnitSpec {
  return { key: `memory:${place}`, name: place, kind: "memory", config: { place }, followGroup: "memory" };
}

export function createActivator(config: MemoryConfig, context: TargetContext): Activator {
  const asking = { write: false, timeoutMs: config.requestTimeoutMs, fault: undefined };
  return {
    prepare: (unit, signal) =>
      request(
        context,
        { ...asking, name: "look at the unit" },
        () => {
          const { incarnations } = placeOf(unit);
          return { knownIds: incarnations.map(({ id }) => id), dormant: incarnations.length === 0 };
        },
        signal,
      ),

    activate: (unit, signal) => {
      const place = placeOf(unit);
      const fault = place.faults.activations.shift();
      return request(
        context,
        { ...asking, name: "restart", write: true, fault },
        () => ({ id: place.start().id }),
        signal,
      );
    },

    follow: (asked, signal) =>
      request(
        context,
        { ...asking, name: "follow" },
        () => asked.map((one) => progressOf(placeOf(one.unit), one)),
        signal,
      ),
  };
}

function placeOf(unit: UnitSpec): MemoryPlace {
  return memoryPlace(String(unit.config["place"]));
}

function progressOf({ incarnations }: MemoryPlace, asked: FollowedActivation): ActivationProgress {
  const last = incarnations.at(-1);
  if (last === undefined) return { state: "dormant", reason: "it was never started" };
  const { id, end } = last;
  if (asked.knownIds.includes(id)) return { state: "not-started", reason: "nothing newer runs" };
  switch (end) {
    case "goes-on":
      return { state: "running", id, reason: "it starts" };
    case "fails":
      return { state: "failed", id, reason: "it did not start" };
    case "is-blocked":
      return { state: "blocked", id, reason: "a person must act" };
    case "succeeds":
      return startedAsExpected(last, asked)
        ? { state: "succeeded", id, incarnation: { id } }
        : { state: "outdated", id, reason: "it was started with other values" };
  }
}

function startedAsExpected({ startedWith }: Incarnation, { expected }: FollowedActivation): boolean {
  return expected.every(({ key, value }) => startedWith.get(key) === value.reveal());
}
