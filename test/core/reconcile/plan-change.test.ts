import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Observed, ObservedKey } from "../../../src/core/ports/place.ts";
import {
  type DesiredSlot,
  type PlannedItem,
  type PrunedSlot,
  planChange,
} from "../../../src/core/reconcile/plan-change.ts";
import { SecretValue } from "../../../src/core/secret-value.ts";

const same = (left: SecretValue, right: SecretValue): boolean => left.reveal() === right.reveal();

function desired(overrides: Partial<DesiredSlot> = {}): DesiredSlot {
  return {
    bindingId: "binding",
    secretId: "secret",
    placement: "",
    key: "KEY",
    slot: "primary",
    version: 2,
    value: SecretValue.of("new-value"),
    owned: false,
    takeOver: false,
    settledVersion: null,
    others: new Map([[1, SecretValue.of("old-value")]]),
    ...overrides,
  };
}

function seen(observed: Observed, key = "KEY"): ObservedKey {
  return { placement: "", key, observed };
}

const present = (value: string): Observed => ({ state: "present", value: SecretValue.of(value) });

function planOne(slot: DesiredSlot, observed: Observed): PlannedItem {
  const [item] = planChange([slot], [], [seen(observed)], same);
  if (item === undefined) throw new Error("a slot was dropped");
  return item;
}

describe("what is written, by what stands there and by whose key it is", () => {
  const reference: Observed = { state: "reference", text: "${{shared.X}}" };
  const unreadable: Observed = { state: "unreadable", reason: "sealed" };
  it.each([
    {
      what: "the desired value",
      observed: present("new-value"),
      foreign: "unchanged",
      owned: "unchanged",
      told: "unchanged",
    },
    {
      what: "an older version of ours",
      observed: present("old-value"),
      foreign: "set",
      owned: "set",
      told: "set",
    },
    { what: "nothing", observed: { state: "absent" } as Observed, foreign: "set", owned: "set", told: "set" },
    { what: "an unknown value", observed: present("theirs"), foreign: "blocked", owned: "set", told: "set" },
    { what: "a reference", observed: reference, foreign: "blocked", owned: "blocked", told: "set" },
    { what: "something unreadable", observed: unreadable, foreign: "blocked", owned: "set", told: "set" },
  ])(
    "$what: foreign key $foreign, owned $owned, told to take over $told",
    ({ observed, foreign, owned, told }) => {
      expect(planOne(desired(), observed).action).toBe(foreign);
      expect(planOne(desired({ owned: true, settledVersion: 1 }), observed).action).toBe(owned);
      expect(planOne(desired({ takeOver: true }), observed).action).toBe(told);
    },
  );

  it("an unreadable key that was settled at the desired version is left alone", () => {
    expect(planOne(desired({ owned: true, settledVersion: 2 }), unreadable).action).toBe("unchanged");
  });

  it("a key that the place did not answer for is never taken as absent", () => {
    const [item] = planChange([desired()], [], [], same);
    expect(item?.action).toBe("blocked");
    expect(item?.found.kind).toBe("unreadable");
  });
});

describe("bytes that may stand for two values", () => {
  const either = (value: string, or: string): Observed => ({
    state: "present",
    value: SecretValue.of(value),
    or: SecretValue.of(or),
  });
  it.each([
    { value: "key", or: "key\n", current: "key", older: "key\n" },
    { value: "key", or: "key\n", current: "key\n", older: "key" },
    { value: "pem\n", or: "pem", current: "pem", older: "pem\n" },
    { value: "key", or: "key\n", current: "key\n", older: "else" },
  ])("are the desired one, if either is: %j", ({ value, or, current, older }) => {
    for (const version of [1, 3]) {
      const slot = desired({
        version,
        value: SecretValue.of(current),
        others: new Map([[2, SecretValue.of(older)]]),
      });
      expect(planOne(slot, either(value, or))).toMatchObject({
        action: "unchanged",
        found: { kind: "version", version },
      });
    }
  });

  it("are an older version of ours, or nobody's", () => {
    expect(planOne(desired(), either("old", "old-value")).found).toEqual({ kind: "version", version: 1 });
    expect(planOne(desired(), either("a", "b")).action).toBe("blocked");
  });
});

describe("what is deleted", () => {
  const pruned: PrunedSlot = {
    bindingId: "binding",
    secretId: "secret",
    placement: "",
    key: "KEY",
    slot: "primary",
    known: new Map([[1, SecretValue.of("old-value")]]),
  };
  it.each([
    { what: "our value", observed: present("old-value"), action: "unset" },
    { what: "somebody's later value", observed: present("theirs"), action: "left" },
    {
      what: "a reference",
      observed: { state: "reference", text: "${{shared.X}}" } as Observed,
      action: "left",
    },
    {
      what: "an unreadable value",
      observed: { state: "unreadable", reason: "sealed" } as Observed,
      action: "left",
    },
    { what: "nothing", observed: { state: "absent" } as Observed, action: "left" },
  ])("$what: $action", ({ observed, action }) => {
    expect(planChange([], [pruned], [seen(observed)], same)[0]?.action).toBe(action);
  });
});

describe("laws of the plan", () => {
  const key = fc.constantFrom("A", "B", "C", "D");
  const value = fc.constantFrom("v1", "v2", "v3", "theirs");
  const place = fc.dictionary(key, value);
  const slots = fc
    .uniqueArray(
      fc.record({
        key,
        version: fc.integer({ min: 1, max: 3 }),
        owned: fc.boolean(),
        takeOver: fc.boolean(),
      }),
      {
        selector: (slot) => slot.key,
      },
    )
    .map((entries) =>
      entries.map((entry) =>
        desired({
          ...entry,
          value: SecretValue.of(`v${entry.version}`),
          others: new Map(
            [1, 2, 3].filter((v) => v !== entry.version).map((v) => [v, SecretValue.of(`v${v}`)]),
          ),
        }),
      ),
    );

  const observe = (state: Readonly<Record<string, string>>, wanted: readonly DesiredSlot[]): ObservedKey[] =>
    wanted.map((slot) => {
      const found = state[slot.key];
      return seen(found === undefined ? { state: "absent" } : present(found), slot.key);
    });

  it("applying a plan and planning again writes nothing, and never touches a key that is not ours", () => {
    fc.assert(
      fc.property(place, slots, (before, wanted) => {
        const state: Record<string, string> = { ...before };
        for (const item of planChange(wanted, [], observe(state, wanted), same)) {
          if (item.action === "set" && item.value !== null) state[item.key] = item.value.reveal();
        }
        const again = planChange(wanted, [], observe(state, wanted), same);
        expect(again.every((item) => item.action === "unchanged" || item.action === "blocked")).toBe(true);
        for (const [name, old] of Object.entries(before)) {
          const slot = wanted.find((entry) => entry.key === name);
          const ours = slot !== undefined && (old !== "theirs" || slot.owned || slot.takeOver);
          if (!ours) expect(state[name]).toBe(old);
        }
      }),
    );
  });
});
