/**
 * Law 4: what callers may send is always within what verifiers must accept. Thousands of interleavings of pushes, lost
 * answers, restarts, late looks, restarts by themselves, decisions and rollbacks never break it; a machine with its order
 * broken is found out.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Member } from "../../../../src/core/rollout/member.ts";
import type { Slots } from "../../../../src/core/rollout/slots.ts";
import { REAL, type Rules, type Strategy, World } from "./world.ts";

const STEPS = [
  "push",
  "push-lost",
  "start-restart",
  "end-restart",
  "restart-by-itself",
  "begin-look",
  "end-look",
  "advance",
  "advance",
  "time",
  "rollback",
  // As it mostly goes: without these, hardly any run would come beyond the first phase.
  "orderly",
  "orderly",
  "orderly",
] as const;

interface Step {
  readonly what: (typeof STEPS)[number];
  readonly where: number;
}

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.record({ what: fc.constantFrom(...STEPS), where: fc.nat(11) }),
  { minLength: 20, maxLength: 160 },
);
const overlapRoles = fc
  .array(fc.constantFrom<Member["role"]>("verifier", "caller", "both"), { minLength: 1, maxLength: 4 })
  .map((roles): readonly Member["role"][] => ["verifier", "caller", ...roles]);
const swapRoles = fc
  .array(fc.constantFrom<Member["role"]>("caller"), { minLength: 1, maxLength: 3 })
  .map((roles): readonly Member["role"][] => ["verifier", ...roles]);

function take(world: World, { what, where }: Step): void {
  const place = world.places[where % world.places.length];
  if (place === undefined) return;
  world.nowMs += 1;
  switch (what) {
    case "push":
    case "push-lost":
      world.push(place, what === "push-lost");
      break;
    case "start-restart":
      world.startRestart(place);
      break;
    case "end-restart":
      world.endRestart(place);
      break;
    case "restart-by-itself":
      // One that is under way is not disturbed: its end tells of itself.
      if (place.requestedAtMs === null) world.restartByItself(place);
      break;
    case "begin-look":
      world.beginLook(place);
      break;
    case "end-look": {
      // Late, repeated, and some never at all.
      const look = world.looks[where % Math.max(1, world.looks.length)];
      if (look !== undefined) world.endLook(look);
      break;
    }
    case "advance":
      world.advance();
      break;
    case "time":
      world.nowMs += 400;
      break;
    case "orderly":
      world.push(place, false);
      world.check("orderly push");
      world.endRestart(place);
      world.startRestart(place);
      world.check("orderly restart");
      world.endRestart(place);
      world.nowMs += 20;
      world.beginLook(place);
      for (const look of world.looks.splice(-1)) world.endLook(look);
      world.advance();
      break;
    case "rollback":
      if (where === 0) world.rollback();
      break;
  }
  world.check(what);
}

/** Nothing goes wrong any more, and everything is tried again. */
function calm(world: World): void {
  for (let round = 0; round < 60 && world.rollout !== null; round += 1) {
    for (const place of world.places) {
      world.nowMs += 1;
      world.push(place, false);
      world.endRestart(place);
      world.startRestart(place);
      world.endRestart(place);
    }
    world.nowMs += 1_100;
    world.looks.length = 0;
    world.advance();
    for (const look of world.looks) world.endLook(look);
    world.check("calm");
  }
  // What the last decision asks for.
  for (const place of world.places) {
    world.nowMs += 1;
    world.push(place, false);
    world.startRestart(place);
    world.endRestart(place);
  }
}

function run(
  strategy: Strategy,
  roles: readonly Member["role"][],
  taken: readonly Step[],
  rules: Rules = REAL,
): World {
  const world = new World(strategy, roles, rules);
  for (const step of taken) take(world, step);
  return world;
}

/** True when some interleaving breaks the law. */
function isFoundOut(strategy: Strategy, rules: Rules): boolean {
  const roles = strategy === "swap" ? swapRoles : overlapRoles;
  const result = fc.check(
    fc.property(roles, steps, (who, taken) => run(strategy, who, taken, rules).violations.length === 0),
    { numRuns: 3_000 },
  );
  return result.failed;
}

describe.each([
  ["overlap", overlapRoles],
  ["swap", swapRoles],
] as const)("law 4 in %s", (strategy, roles) => {
  it("holds in every interleaving, and every rollout ends when nothing goes wrong any more", () => {
    fc.assert(
      fc.property(roles, steps, (who, taken) => {
        const world = run(strategy, who, taken);
        expect(world.violations).toEqual([]);
        calm(world);
        expect(world.violations).toEqual([]);
        expect(world.rollout).toBeNull();
        for (const place of world.places)
          expect(place.lives).toEqual([{ primary: world.to, fallback: null }]);
      }),
      { numRuns: 2_000 },
    );
  }, 60_000);
});

describe("a verifier that holds the fallback and ignores it", () => {
  it("never lets overlap pass accept", () => {
    fc.assert(
      fc.property(overlapRoles, steps, (who, taken) => {
        const world = new World("overlap", who, REAL);
        const [first] = world.places;
        if (first !== undefined) first.isDeaf = true;
        for (const step of taken) if (step.what !== "rollback") take(world, step);
        expect(world.rollout?.phase).toBe("accept");
        expect(world.violations).toEqual([]);
      }),
      { numRuns: 500 },
    );
  }, 60_000);
});

describe("a machine with its order broken is found out", () => {
  const callersFirst: Rules["slots"] = (holder, current, rollout): Slots =>
    rollout?.phase === "accept" && holder.role !== "verifier"
      ? { primary: rollout.toVersion, fallback: rollout.fromVersion }
      : REAL.slots(holder, current, rollout);
  const withoutGates =
    (phase: string, next: "switch" | "retire" | "swap"): Rules["decide"] =>
    (rollout, members, nowMs) =>
      rollout.phase === phase
        ? {
            actions: [{ kind: "enter", phase: next, promotes: true }],
            waitingFor: [],
            settling: null,
            againInMs: null,
          }
        : REAL.decide(rollout, members, nowMs);
  const storedIsEnough: Rules["decide"] = (rollout, members, nowMs) =>
    REAL.decide(
      rollout,
      members.map((one) => ({
        ...one,
        required: "stored" as const,
        activating: false,
        acceptanceBy: "attested" as const,
      })),
      nowMs,
    );

  it.each([
    ["callers before verifiers", "overlap", { ...REAL, slots: callersFirst }],
    [
      "callers sent without asking verifiers",
      "overlap",
      { ...REAL, decide: withoutGates("accept", "switch") },
    ],
    [
      "the old value taken away while callers send it",
      "overlap",
      { ...REAL, decide: withoutGates("switch", "retire") },
    ],
    ["a stored value taken for one in use", "overlap", { ...REAL, decide: storedIsEnough }],
    [
      "the verifier turned round before callers have both",
      "swap",
      { ...REAL, decide: withoutGates("stage", "swap") },
    ],
  ] as const)(
    "%s",
    (_mutant, strategy, rules) => {
      expect(isFoundOut(strategy, rules)).toBe(true);
    },
    60_000,
  );
});
