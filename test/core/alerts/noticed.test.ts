/** A watch that leaves out what is not noticed raises the same alerts as one that reads everything, now and later. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { alertableOf } from "../../../src/core/alerts/alertable.ts";
import { type Notice, noticesOf } from "../../../src/core/alerts/noticed.ts";
import { diagnosePlaces, type PlaceFacts } from "../../../src/core/doctor/diagnose.ts";
import type { BindingFacts, SecretFacts, TargetFacts } from "../../../src/core/doctor/facts.ts";
import { ago, factsOf, healthyBinding, healthyTarget, NOW } from "../doctor/build.ts";

const TARGETS = ["api", "web", "mini"] as const;
const error = { code: "TARGET_UNREACHABLE", message: "It is away.", hint: "" };
const minutes = fc.integer({ min: -30, max: 240 }).map(ago);

const target = (name: string): fc.Arbitrary<TargetFacts> =>
  fc
    .record({
      gaveUp: fc.boolean(),
      error: fc.constantFrom(
        null,
        error,
        { ...error, code: "STEP_OPEN" },
        { ...error, code: "ACTIVATION_FAILED" },
      ),
      look: fc.constantFrom<TargetFacts["look"]>("looked", null, error),
      nextActionAt: fc.option(minutes),
      testFailures: fc.constantFrom([], [{ name: "write", message: "It would refuse." }]),
      agent: fc.option(
        fc.record({
          lastSeenAt: fc.option(minutes),
          refused: fc.constantFrom([], ["a unit: not allowed"]),
          releases: fc.constantFrom([], ["0.0.9"]),
        }),
        { nil: undefined },
      ),
    })
    .map(({ agent, ...changes }) =>
      healthyTarget(name, { ...changes, ...(agent === undefined ? {} : { agent }) }),
    );

const STATES: readonly Partial<BindingFacts>[] = [
  {},
  { state: "owed", settled: 4, version: 4 },
  { state: "foreign", found: "unknown", version: null },
  { state: "missing", found: "absent", version: null },
  { state: "stale", version: 4, foundReason: null },
  { state: "stale", lacking: "an old process runs" },
  { state: "unreadable", found: "unreadable" },
  { state: "leftover" },
  { state: "owed", unit: { name: "app", state: "blocked", error: "It ends at once." } },
];
const binding = (name: string): fc.Arbitrary<BindingFacts> =>
  fc
    .record({
      state: fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, fc.constantFrom(...STATES)),
      role: fc.constantFrom("caller", "verifier", "both"),
    })
    .map(({ state, role }) => healthyBinding(name, { ...state, role }));

const secret = (name: string): fc.Arbitrary<SecretFacts> =>
  fc
    .record({
      bindings: fc.tuple(...TARGETS.map((one) => fc.option(binding(one)))),
      madeAt: minutes,
      maxAgeMs: fc.option(fc.constantFrom(60_000, 7_200_000)),
      rollout: fc.option(fc.constantFrom<"running" | "stalled">("running", "stalled")),
      token: fc.option(
        fc.record({
          expiresAt: fc.option(minutes),
          failures: fc.integer({ min: 0, max: 3 }),
          error: fc.constant(null),
          mustAct: fc.boolean(),
          usedUp: fc.constant(null),
        }),
      ),
      adoption: fc.constant(null),
    })
    .map(({ bindings, madeAt, maxAgeMs, rollout, token, adoption }) => ({
      name,
      environment: "production",
      current: 5,
      currentSince: madeAt,
      currentMadeAt: madeAt,
      maxAgeMs,
      rollout:
        rollout === null
          ? null
          : { id: `of-${name}`, state: rollout, reason: null, from: 4, settlingSince: null },
      bindings: bindings.flatMap((one) => one ?? []),
      token,
      adoption,
    }));

const facts: fc.Arbitrary<PlaceFacts> = fc
  .tuple(fc.tuple(...TARGETS.map(target)), fc.tuple(secret("AUTH"), secret("TOKEN"), secret("KEY")))
  .map(([targets, secrets]) => ({
    now: NOW,
    release: "1.0.0",
    severalEnvironments: false,
    secrets,
    targets,
  }));

function of(binding: BindingFacts): SecretFacts {
  return factsOf({ bindings: [binding] }).secrets[0] ?? expect.fail("no secret");
}

function alerts(of: PlaceFacts): readonly string[] {
  return diagnosePlaces(of)
    .flatMap(alertableOf)
    .map((one) => JSON.stringify(one))
    .sort();
}

/** As a watch reads it: of what is noticed everything, of the rest nothing. */
function onlyNoticed(of: PlaceFacts, before = noticesOf(of)): PlaceFacts {
  const notices = noticesOf(of);
  const secrets = of.secrets.filter(
    (one) =>
      before.ofSecret(one).isNoticed || one.bindings.some((at) => notices.ofBinding(one, at).isNoticed),
  );
  const bound = new Set(secrets.flatMap(({ bindings }) => bindings.map((at) => at.target)));
  const targets = of.targets.filter((one) => bound.has(one.name) || before.ofTarget(one).isNoticed);
  return { ...of, secrets, targets };
}

describe("what is noticed", () => {
  it("is enough for every alert", () => {
    fc.assert(
      fc.property(facts, (all) => {
        expect(alerts(onlyNoticed(all))).toEqual(alerts(all));
      }),
      { numRuns: 100 },
    );
  });

  it("is enough where places change, and what they belong to was judged before", () => {
    fc.assert(
      fc.property(facts, facts, (before, later) => {
        const after = {
          ...before,
          secrets: before.secrets.map((one, at) => ({ ...one, bindings: later.secrets[at]?.bindings ?? [] })),
        };
        expect(alerts(onlyNoticed(after, noticesOf(before)))).toEqual(alerts(after));
      }),
      { numRuns: 300 },
    );
  });

  it("of what is judged apart from its neighbours too", () => {
    fc.assert(
      fc.property(facts, (all) => {
        const whole = noticesOf(all);
        for (const one of all.secrets)
          for (const at of one.bindings) {
            const alone = noticesOf({ ...all, secrets: [{ ...one, bindings: [at] }] });
            expect(alone.ofBinding(one, at)).toEqual(whole.ofBinding(one, at));
          }
      }),
      { numRuns: 30 },
    );
  });

  it("stays quiet by itself for as long as it says", () => {
    fc.assert(
      fc.property(facts, fc.double({ min: 0, max: 1, noNaN: true }), (all, share) => {
        const notices = noticesOf(all);
        const holds = (
          { isNoticed, staysMs }: Notice,
          later: (of: ReturnType<typeof noticesOf>) => Notice,
        ) => {
          expect(staysMs).toBeGreaterThan(0);
          if (isNoticed) return;
          // The first step is below it: so long nobody looks anyway.
          const ms = Math.max(0, staysMs <= 2_000 ? 0 : staysMs * share);
          const at = noticesOf({ ...all, now: new Date(all.now.getTime() + ms) });
          expect(later(at).isNoticed).toBe(false);
        };
        for (const one of all.targets) holds(notices.ofTarget(one), (of) => of.ofTarget(one));
        for (const one of all.secrets) {
          holds(notices.ofSecret(one), (of) => of.ofSecret(one));
          for (const at of one.bindings) holds(notices.ofBinding(one, at), (of) => of.ofBinding(one, at));
        }
      }),
      { numRuns: 20 },
    );
  });

  it("a push that was given up stays noticed while another finding tells of it", () => {
    const api = healthyTarget("api", { gaveUp: true, error });
    const at = healthyBinding("api", { state: "owed", settled: 4, version: 4 });
    const notices = noticesOf({
      now: NOW,
      release: "1",
      severalEnvironments: false,
      secrets: [of(at)],
      targets: [api],
    });
    expect(notices.ofTarget(api).isNoticed).toBe(true);
    expect(notices.ofBinding(of(at), at).isNoticed).toBe(true);
  });

  it("an agent that falls silent is asked about before it is due", () => {
    const mini = healthyTarget("mini", { agent: { lastSeenAt: NOW, refused: [], releases: [] } });
    const quiet = noticesOf({
      now: NOW,
      release: "1",
      severalEnvironments: false,
      secrets: [],
      targets: [mini],
    });
    expect(quiet.ofTarget(mini)).toEqual({ isNoticed: false, staysMs: 120_000 });
  });
});
