/** What one look at a binding means for its evidence. Pure; a look may raise it and lower it. */
import { type Evidence, isAtLeast } from "../evidence.ts";
import type { Acceptance } from "./member.ts";

/** About the living processes, compared with what is settled there. */
export type RunningVerdict =
  | { readonly state: "right" }
  /** Some life definitely holds something else. */
  | { readonly state: "lacks"; readonly reason: string }
  /** A restart is under way, or an older life drains. */
  | { readonly state: "changing"; readonly reason: string }
  | { readonly state: "unseen"; readonly reason: string }
  | { readonly state: "dormant" };

export interface Observation {
  /** Why what stands there is not what was settled; null when it is, or cannot be read and nothing speaks against it. */
  readonly wrong: string | null;
  /** Every slot was read and is what was settled. */
  readonly readBack: boolean;
  /** Null: nobody can look into processes there. */
  readonly running: RunningVerdict | null;
  /** Of a verifier that is asked, one per asked version. */
  readonly acceptance: ReadonlyMap<number, Acceptance>;
  /** The acceptance is what the process said of itself (`lockstep/verify`): no request of ours was accepted. */
  readonly isReported: boolean;
  /** Versions in its slots: what it accepts when it works as it should. */
  readonly held: readonly number[];
}

export interface Judged {
  readonly evidence: Evidence | null;
  readonly lacks: boolean;
  readonly reason: string | null;
}

export function judgeObservation(before: Evidence | null, look: Observation): Judged {
  if (look.wrong !== null) return { evidence: null, lacks: true, reason: look.wrong };
  // What was changed by hand is back: that it stands there is known again, and no more.
  const seen = judgeRunning(before ?? (look.readBack ? "stored" : null), look.running);
  if (seen.lacks || look.acceptance.size === 0) return seen;
  const asked = look.held.map((version) => ({ version, seen: look.acceptance.get(version) }));
  const refused = asked.find((one) => one.seen?.verdict === "refused");
  if (refused !== undefined) {
    // What the process holds is one matter, what the application accepts another: the gate judges the second.
    return { ...seen, reason: `it refuses v${refused.version} (${refused.seen?.reason ?? ""})` };
  }
  const unknown = asked.find((one) => one.seen?.verdict !== "accepted");
  if (unknown !== undefined) {
    return { ...seen, reason: seen.reason ?? `cannot tell whether it accepts v${unknown.version}` };
  }
  // A live request showed it, and what is still changing was not what answered alone.
  if (look.running?.state === "changing") return seen;
  return { evidence: look.isReported ? "running" : "proven", lacks: false, reason: null };
}

function judgeRunning(before: Evidence | null, running: RunningVerdict | null): Judged {
  // Proof was of that moment: without a new one it is what it was before it.
  const base = before === "proven" ? "deployed" : before;
  switch (running?.state) {
    case undefined:
      return { evidence: base, lacks: false, reason: null };
    case "dormant":
      return { evidence: base, lacks: false, reason: null };
    case "right":
      return { evidence: isAtLeast(before, "stored") ? "running" : before, lacks: false, reason: null };
    case "lacks":
      return { evidence: capped(base, "stored"), lacks: true, reason: running.reason };
    case "changing":
      return { evidence: capped(base, "stored"), lacks: false, reason: running.reason };
    case "unseen":
      return { evidence: capped(base, "deployed"), lacks: false, reason: running.reason };
  }
}

function capped(evidence: Evidence | null, most: "stored" | "deployed"): Evidence | null {
  return isAtLeast(evidence, most) ? most : evidence;
}
