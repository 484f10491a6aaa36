/** What failed together is taken apart, and nothing that is set aside breaks the order of its rollout. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  type Aside,
  type AsideView,
  asideOf,
  isolate,
  mayStandAside,
  nextToJoin,
  type UnitChange,
} from "../../../src/core/rollout/aside.ts";
import { type Slots, slotsOf } from "../../../src/core/rollout/slots.ts";
import { PHASES, type Strategy } from "../../../src/core/rollout/strategy.ts";
import type { Role } from "../../../src/core/secret.ts";

const ROLES: readonly Role[] = ["verifier", "caller", "both"];
const ALL: readonly Slots[] = [1, 2].flatMap((primary) =>
  [null, 1, 2].filter((fallback) => fallback !== primary).map((fallback) => ({ primary, fallback })),
);
const view = (strategy: Strategy, phase: string, isRollback = false): AsideView => ({
  strategy,
  phase,
  fromVersion: 1,
  toVersion: 2,
  held: false,
  isRollback,
});
const heldBy = ({ primary, fallback }: Slots) => [primary, fallback].filter((version) => version !== null);

describe("standing aside", () => {
  const phases = (["overlap", "swap", "issued"] as const).flatMap((strategy) =>
    PHASES[strategy].map((phase) => ({ strategy, phase })),
  );

  it.each(phases)("keeps the order in $phase of $strategy, beside any that moved", ({ strategy, phase }) => {
    const rollout = view(strategy, phase);
    // Nobody has the new value before the first phase has passed, except where a rollout goes back.
    const before = phase === "accept" || phase === "stage" ? ALL.filter(({ primary }) => primary === 1) : ALL;
    /** What a member may hold: what the phase begins or ends with, or what it may be set aside to. */
    const possible = (role: Role): readonly Slots[] => [
      ...before.map((settled) => slotsOf({ role, settled }, 2, rollout)),
      ...ALL.filter((slots) => mayStandAside(role, rollout, slots)),
    ];
    const accepts = (slots: Slots) => (strategy === "issued" ? [1, 2] : heldBy(slots));
    const tries = ({ primary, fallback }: Slots) =>
      strategy === "swap" ? heldBy({ primary, fallback }) : [primary];
    for (const verifier of ["verifier", "both"] as const) {
      if (verifier === "both" && strategy === "swap") continue;
      for (const caller of ["caller", "both"] as const) {
        if (caller === "both" && strategy === "swap") continue;
        for (const accepting of possible(verifier)) {
          for (const sending of possible(caller)) {
            const isAnswered = tries(sending).some(
              (version) => version !== null && accepts(accepting).includes(version),
            );
            expect(isAnswered, JSON.stringify({ accepting, sending })).toBe(true);
          }
        }
      }
    }
  });

  it.each([
    [
      "a verifier that would lose what callers may send",
      "verifier",
      "switch",
      { primary: 1, fallback: null },
    ],
    [
      "a verifier before it accepts both, to nothing that callers send",
      "verifier",
      "accept",
      { primary: 2, fallback: null },
    ],
    [
      "a caller that would send what is not accepted any more",
      "caller",
      "retire",
      { primary: 1, fallback: null },
    ],
    ["a version that the rollout does not know", "caller", "switch", { primary: 7, fallback: null }],
    ["nothing", "caller", "switch", { primary: null, fallback: null }],
  ] as const)("is not allowed to %s", (_what, role, phase, slots) => {
    expect(mayStandAside(role, view("overlap", phase), slots)).toBe(false);
  });

  it("is not allowed to a verifier that would refuse callers who never left the version that is gone back to", () => {
    const goingBack = view("overlap", "accept", true);
    expect(mayStandAside("verifier", goingBack, { primary: 1, fallback: null })).toBe(false);
    expect(mayStandAside("verifier", goingBack, { primary: 1, fallback: 2 })).toBe(true);
  });

  it("means nothing for another rollout than it was made for", () => {
    const aside: Aside = { rolloutId: "old", primary: 1, fallback: null, reason: null };
    expect(asideOf({ aside, rollout: { id: "new" } })).toBeNull();
    expect(asideOf({ aside, rollout: null })).toBeNull();
    expect(asideOf({ aside, rollout: { id: "old" } })).toBe(aside);
  });
});

describe("taking apart what failed together", () => {
  interface Made {
    readonly role: Role;
    readonly phase: string;
    readonly secret: number;
  }
  const changeOf = ({ role, phase, secret }: Made, index: number): UnitChange => {
    const rollout = view("overlap", phase);
    const ran = { primary: 1, fallback: null };
    return {
      bindingId: `binding-${index}`,
      role,
      rollout: { ...rollout, id: `rollout-${secret}`, startedAtMs: secret },
      settled: slotsOf({ role, settled: ran }, 2, rollout),
      ran,
      aside: null,
      isOldCompromised: false,
    };
  };
  const made = fc.array(
    fc.record({
      role: fc.constantFrom(...ROLES),
      phase: fc.constantFrom("accept", "switch"),
      secret: fc.integer({ min: 1, max: 4 }),
    }),
    { minLength: 1, maxLength: 8 },
  );

  it("ends, with every well change in place and every broken one aside, whoever is broken", () => {
    fc.assert(
      fc.property(made, fc.uniqueArray(fc.integer({ min: 1, max: 4 })), (choices, broken) => {
        // One phase for each secret, as a rollout has.
        const changes = choices.map((choice) => ({
          ...choice,
          phase: choices.find(({ secret }) => secret === choice.secret)?.phase ?? "accept",
        }));
        let unit = changes.map(changeOf).map((change, index, all) => ({
          ...change,
          // Secrets that have not moved, and verifiers whose place is what it was, are no part of it.
          index: all.length > 0 ? index : 0,
        }));
        const wanted = (change: UnitChange): Slots =>
          slotsOf({ role: change.role, settled: change.ran ?? {} }, 2, change.rollout);
        for (let round = 0; ; round += 1) {
          expect(round).toBeLessThan(20);
          const settled = unit.map((change) => ({ ...change, settled: asideOf(change) ?? wanted(change) }));
          const starts = settled.every(
            ({ settled: { primary, fallback }, rollout }) =>
              !broken.includes(rollout?.startedAtMs ?? 0) || ![primary, fallback].includes(2),
          );
          if (starts) {
            const next = new Set(nextToJoin(settled));
            unit = settled.map((change) => ({
              ...change,
              ran: { primary: change.settled.primary, fallback: change.settled.fallback },
              aside: next.has(change.bindingId) ? null : change.aside,
            }));
            if (next.size === 0) break;
            continue;
          }
          const isolation = isolate(settled, "it did not start");
          // A verifier that callers rely on stays what it must be: then a person decides.
          if (isolation === null) return;
          const asides = new Map(isolation.setAside.map(({ bindingId, ...aside }) => [bindingId, aside]));
          for (const change of settled.filter(({ bindingId }) => asides.has(bindingId)))
            expect(
              mayStandAside(
                change.role,
                change.rollout ?? view("overlap", "accept"),
                asides.get(change.bindingId) as Aside,
              ),
            ).toBe(true);
          unit = settled.map((change) => ({
            ...change,
            aside:
              asides.get(change.bindingId) ??
              (isolation.release.includes(change.bindingId) ? null : change.aside),
          }));
        }
        for (const change of unit) {
          const aside = asideOf(change);
          const moves =
            JSON.stringify(wanted(changeOf(changes[change.index] as Made, change.index))) !==
            JSON.stringify({ primary: 1, fallback: null });
          if (!broken.includes(change.rollout?.startedAtMs ?? 0)) expect(aside).toBeNull();
          else if (moves) expect(aside?.reason).toContain("it did not start");
        }
      }),
      { numRuns: 500 },
    );
  });

  const two = [
    changeOf({ role: "verifier", phase: "accept", secret: 1 }, 0),
    changeOf({ role: "verifier", phase: "accept", secret: 2 }, 1),
  ] as const;

  it("tries the oldest rollout's change first", () => {
    expect(isolate([two[1], two[0]], "why")).toEqual({
      setAside: [
        { bindingId: "binding-1", rolloutId: "rollout-2", primary: 1, fallback: null, reason: null },
      ],
      release: [],
    });
  });

  it("keeps in place what must not go back, and leaves two of those to a person", () => {
    const fixed = { ...two[1], isOldCompromised: true };
    expect(isolate([two[0], fixed], "why")?.setAside.map(({ bindingId }) => bindingId)).toEqual([
      "binding-0",
    ]);
    expect(isolate([{ ...two[0], isOldCompromised: true }, fixed], "why")).toBeNull();
    expect(isolate([{ ...two[0], ran: null }, fixed], "why")).toBeNull();
  });

  it("is nothing for one secret alone, nor where something moved without a rollout", () => {
    expect(isolate([two[0]], "why")).toBeNull();
    const elsewhere = { ...two[0], bindingId: "binding-9", settled: { primary: 1, fallback: null } };
    expect(isolate([two[0], elsewhere], "why")).toBeNull();
    expect(isolate([two[0], { ...two[1], rollout: null }], "why")).toBeNull();
  });
});
