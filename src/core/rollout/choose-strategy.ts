/** Which strategy a secret's bindings allow, and why another is not possible, in words. Pure. */
import { type Evidence, isAtLeast } from "../evidence.ts";
import type { Role } from "../secret.ts";
import { type AcceptanceBy, isAsked } from "./member.ts";
import type { Strategy } from "./strategy.ts";

export interface Candidate {
  readonly target: string;
  readonly key: string;
  readonly role: Role;
  readonly optional: boolean;
  /** The best that its target can ever give. */
  readonly maxEvidence: Evidence;
  readonly acceptanceBy: AcceptanceBy | null;
  readonly useAttested: boolean;
  readonly triesBoth: boolean;
}

export interface Move {
  /** Null: the secret's first version. */
  readonly fromVersion: number | null;
  readonly fromCompromised: boolean;
  /** An issuer makes its values, and goes on accepting an older one until that ends. */
  readonly isIssued: boolean;
  readonly candidates: readonly Candidate[];
}

export interface Choice {
  readonly strategy: Strategy;
  /** Why it is not `overlap`, where nobody named a strategy. */
  readonly because: readonly string[];
}

/** Without a word about it: each caller by itself where the issuer accepts both, ordered where the bindings allow, all at once otherwise. */
export function chooseStrategy(move: Move): Choice {
  if (whyNotPossible("issued", move).length === 0) return { strategy: "issued", because: [] };
  const because = whyNotPossible("overlap", move);
  return because.length === 0 ? { strategy: "overlap", because } : { strategy: "replace", because };
}

/** Empty: it is possible. */
export function whyNotPossible(strategy: Strategy, move: Move): readonly string[] {
  if (strategy === "replace") return [];
  if (strategy === "issued" && !move.isIssued)
    return ["`issued` needs an issuer that makes tokens; this secret's value is made here"];
  if (move.fromVersion === null) return ["there is no older version that anybody could still use"];
  if (move.fromCompromised)
    return [`v${move.fromVersion} is compromised, and must not be accepted any longer`];
  const { candidates } = move;
  if (strategy === "issued") return [];
  const verifiers = candidates.filter(({ role }) => role !== "caller");
  const callers = candidates.filter(({ role }) => role !== "verifier");
  const reasons: string[] = [];
  if (verifiers.length === 0)
    reasons.push("no binding verifies it, so nobody can be asked to accept two values");
  const allTryBoth = callers.every(({ triesBoth }) => triesBoth);
  for (const candidate of candidates) {
    const why = whyNotIn(strategy, candidate, allTryBoth);
    if (why !== null) reasons.push(`${candidate.target} (${candidate.key}): ${why}`);
  }
  return reasons;
}

function whyNotIn(strategy: "overlap" | "swap", candidate: Candidate, allTryBoth: boolean): string | null {
  const { role, acceptanceBy, optional } = candidate;
  if (role !== "caller" && acceptanceBy === null) {
    return "nothing tells whether the application accepts a value: give it a `probe:` or `usage:`, or say `acceptsFallback: attested`";
  }
  if (role !== "caller" && optional && !allTryBoth)
    return "an optional verifier needs callers that try both values (`triesBoth: attested`)";
  if (strategy === "swap") {
    if (role === "both") return "in `swap` nobody may both verify and send";
    if (role === "caller" && !candidate.triesBoth)
      return "in `swap` callers must try both values: use lockstep/caller and say `triesBoth: attested`";
    if (role === "verifier" && acceptanceBy !== "probe") return "in `swap` a `probe:` decides";
  }
  return canShowUse(candidate)
    ? null
    : "nothing shows that a stored value is used: say `activate:` at the target, with `process:` or `health:` beside a command, or `evidence: attested`";
}

function canShowUse({ role, maxEvidence, acceptanceBy, useAttested }: Candidate): boolean {
  const isShown = role === "verifier" && isAsked({ acceptanceBy });
  return useAttested || isAtLeast(maxEvidence, "deployed") || isShown;
}
