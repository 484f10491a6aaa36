/** Members and rollouts for tests of the engine, in order unless told otherwise. */
import type { RolloutState } from "../../../src/core/rollout/engine.ts";
import type { Acceptance, Member } from "../../../src/core/rollout/member.ts";

export const accepted: Acceptance = { verdict: "accepted", reason: "answered 200" };
export const refused: Acceptance = { verdict: "refused", reason: "answered 401" };

export function rollout(overrides: Partial<RolloutState> = {}): RolloutState {
  return {
    strategy: "overlap",
    phase: "accept",
    state: "running",
    reason: null,
    fromVersion: 1,
    toVersion: 2,
    held: false,
    phaseStartedAtMs: 0,
    recheckFromMs: null,
    urgent: false,
    waits: {
      settleForMs: 1_000,
      quietForMs: 1_000,
      optionalForMs: 5_000,
      lateAfterMs: 60_000,
      relookMs: 10,
      watchMs: 1_000_000,
      settleWatchMs: 1_000_000,
    },
    ...overrides,
  };
}

export function member(overrides: Partial<Member> = {}): Member {
  return {
    bindingId: "b1",
    target: "api",
    key: "KEY",
    role: "both",
    optional: false,
    required: "deployed",
    settled: { primary: 2 },
    evidence: "deployed",
    changedAtMs: 0,
    observedAtMs: 1,
    observedReason: null,
    lacks: false,
    activating: false,
    acceptanceBy: null,
    acceptance: new Map(),
    counterProbed: false,
    useAttested: false,
    triesBoth: false,
    silentForMs: 0,
    stuck: null,
    restsAtStored: false,
    forced: false,
    ...overrides,
  };
}

export function verifier(overrides: Partial<Member> = {}): Member {
  return member({
    bindingId: "v",
    target: "verifier",
    role: "verifier",
    acceptanceBy: "probe",
    settled: { primary: 1, fallback: 2 },
    acceptance: new Map([
      [1, accepted],
      [2, accepted],
    ]),
    ...overrides,
  });
}

export function caller(overrides: Partial<Member> = {}): Member {
  return member({ bindingId: "c", target: "caller", role: "caller", settled: { primary: 1 }, ...overrides });
}
