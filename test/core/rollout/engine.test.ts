import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EVIDENCE_LADDER, isAtLeast } from "../../../src/core/evidence.ts";
import { decide, type Member, type RolloutState } from "../../../src/core/rollout/engine.ts";

const committed: RolloutState = {
  strategy: "replace",
  phase: "commit",
  state: "running",
  fromVersion: 1,
  toVersion: 2,
};

function member(overrides: Partial<Member> = {}): Member {
  return {
    bindingId: "b1",
    target: "api",
    key: "KEY",
    optional: false,
    required: "deployed",
    settledVersion: 2,
    evidence: "deployed",
    stuck: null,
    restsAtStored: false,
    ...overrides,
  };
}

const kinds = (state: RolloutState, members: readonly Member[]): string[] =>
  decide(state, members).actions.map((action) => action.kind);

describe("replace", () => {
  it("commits at once: nobody can hold two values", () => {
    expect(kinds({ ...committed, phase: "prepare" }, [member({ settledVersion: 1 })])).toEqual([
      "enter-commit",
    ]);
  });

  it("finishes when every required place proved the new version", () => {
    expect(kinds(committed, [member(), member({ bindingId: "b2" })])).toEqual([
      "meet-gate",
      "meet-gate",
      "finish",
    ]);
  });

  it("waits, with the reason in words, while a place has only stored it", () => {
    const decision = decide(committed, [member({ evidence: "stored" })]);
    expect(decision.actions).toEqual([]);
    expect(decision.waitingFor).toEqual([
      { bindingId: "b1", target: "api", key: "KEY", reason: "stored seen, needs deployed" },
    ]);
  });

  it("does not accept evidence for another version", () => {
    expect(kinds(committed, [member({ settledVersion: 1 })])).toEqual([]);
  });

  it("stalls when a required place needs a person, and goes on by itself when it no longer does", () => {
    const stuck = member({ settledVersion: 1, stuck: "token was refused" });
    expect(decide(committed, [stuck]).actions).toEqual([
      { kind: "stall", reason: "api (KEY): token was refused" },
    ]);
    expect(kinds({ ...committed, state: "stalled" }, [stuck])).toEqual([]);
    expect(kinds({ ...committed, state: "stalled" }, [member({ settledVersion: 1 })])).toEqual(["unstall"]);
  });

  it("is not held by an optional place, but names it", () => {
    const decision = decide(committed, [
      member(),
      member({ bindingId: "b2", optional: true, settledVersion: 1, stuck: "away" }),
    ]);
    expect(decision.actions.map((action) => action.kind)).toEqual(["meet-gate", "finish"]);
    expect(decision.waitingFor).toMatchObject([{ bindingId: "b2", reason: "away" }]);
  });

  it("accepts stored where nothing restarts", () => {
    expect(kinds(committed, [member({ evidence: "stored", restsAtStored: true })])).toEqual([
      "meet-gate",
      "finish",
    ]);
    expect(kinds(committed, [member({ evidence: "acknowledged", restsAtStored: true })])).toEqual([]);
  });

  it("never finishes while a required place lacks the version or its evidence", () => {
    const anyMember = fc.record({
      bindingId: fc.uuid(),
      target: fc.constant("t"),
      key: fc.constant("K"),
      optional: fc.boolean(),
      required: fc.constantFrom("stored" as const, "deployed" as const),
      settledVersion: fc.constantFrom(null, 1, 2),
      evidence: fc.constantFrom(null, ...EVIDENCE_LADDER),
      stuck: fc.constantFrom(null, "broken"),
      restsAtStored: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(anyMember, { maxLength: 6 }), (members) => {
        const finished = kinds(committed, members).includes("finish");
        const proven = members.every(
          (one) =>
            one.optional ||
            (one.settledVersion === 2 &&
              (isAtLeast(one.evidence, one.required) ||
                (one.restsAtStored && isAtLeast(one.evidence, "stored")))),
        );
        expect(finished).toBe(proven);
      }),
    );
  });
});
