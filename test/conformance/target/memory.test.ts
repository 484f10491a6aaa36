import { randomUUID } from "node:crypto";
import { describe } from "vitest";
import { forgetMemoryPlace, type MemoryFault, memoryPlace } from "../../support/memory-target/place.ts";
import { memoryKind } from "../../support/memory-target/target.ts";
import { flagConformance } from "./flags.ts";
import { CANARY, type PlaceFault, type PlaceUnderTest } from "./place.ts";
import { targetConformance } from "./suite.ts";

type Told = Readonly<Record<string, boolean>>;

for (const [name, told] of [
  ["memory", {}],
  ["fenced memory", { conditionalWrite: true }],
  ["memory that only stores", { restarts: false }],
] as const satisfies readonly (readonly [string, Told])[]) {
  targetConformance({
    name,
    kind: memoryKind,
    start: async () => startPlace(told),
    badKeys: ["with-dash", "1ST", ""],
    cannot: { "is-gone": "memory is always there" },
    comparesStartValues: true,
    failActivation: async ({ raw }) => void placeOf(raw).ends.push("fails"),
  });
}

// The rest of the suite reads back what it wrote.
describe("memory that shows nothing and deletes nothing", () => {
  flagConformance({
    name: "sealed memory",
    kind: memoryKind,
    start: async () => startPlace({ readable: false, deletable: false }),
    badKeys: [],
  });
});

function startPlace(told: Told): PlaceUnderTest {
  const name = randomUUID();
  const raw = { memory: { place: name, requestTimeoutMs: 200, token: "token-of-memory", ...told } };
  const place = memoryPlace(name);
  place.start();
  return {
    raw,
    rawWithUnknownKey: { memory: { ...raw.memory, unknown: CANARY } },
    address: (key) => ({ placement: "", key }),
    stored: async (key) => place.values.get(key) ?? null,
    put: async (key, value) => void place.values.set(key, value),
    writes: async () => place.writes,
    fault: async (fault) => tell(place, fault),
    stop: async () => forgetMemoryPlace(name),
  };
}

function tell({ faults }: ReturnType<typeof memoryPlace>, fault: PlaceFault): void {
  const [requests, told] = ((): readonly [MemoryFault[], MemoryFault] => {
    switch (fault) {
      case "refuses-write":
        return [faults.writes, { kind: "refused" }];
      case "throttles-write":
        return [faults.writes, { kind: "throttled", retryAfterMs: 3_000 }];
      case "silent-on-write":
        return [faults.writes, { kind: "silent", applied: true }];
      case "loses-answer-to-write":
        return [faults.writes, { kind: "lost-answer", applied: true }];
      case "silent-on-read":
        return [faults.reads, { kind: "silent", applied: false }];
      case "is-gone":
        throw new Error("memory is always there");
    }
  })();
  requests.push(told);
}

function placeOf(raw: unknown): ReturnType<typeof memoryPlace> {
  return memoryPlace((raw as { memory: { place: string } }).memory.place);
}
