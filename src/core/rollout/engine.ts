/**
 * The rollout engine: (state, members, clock) → actions with reasons. Pure; the caller applies the actions in one
 * transaction and asks again until nothing more follows.
 *
 * `replace`, for what cannot hold two values, is the strategy of this engine version:
 *
 *   prepare ──▶ commit ─────────────────────────▶ done
 *               every place gets the new value     every required place proved it; the old version retires
 *
 *   old  ═══════╗ current          retiring ═══════╗ retired
 *   new  staged ╚═ current ════════════════════════╚═ current
 *               ▲ point of no return: between here and each unit's restart, some places use old, some new
 *
 * States: running, stalled (a required place cannot go on without a person; it goes on by itself as soon as it can),
 * done; abandoned when a newer rollout of the same secret supersedes it. Ignored in done and abandoned: everything.
 */
import { type Evidence, isAtLeast, type LadderEvidence } from "../evidence.ts";
import type { Strategy } from "./slots.ts";

export interface RolloutState {
  readonly strategy: Strategy;
  readonly phase: string;
  readonly state: "running" | "stalled";
  readonly fromVersion: number | null;
  readonly toVersion: number;
}

/** One live binding of the secret. */
export interface Member {
  readonly bindingId: string;
  readonly target: string;
  readonly key: string;
  readonly optional: boolean;
  /** Fixed when the rollout (or the member) joined; never lowered. */
  readonly required: LadderEvidence;
  readonly settledVersion: number | null;
  readonly evidence: Evidence | null;
  /** Why it cannot go on without a person, in words; null while it can. */
  readonly stuck: string | null;
  /** Nothing restarts there: no process runs and none is woken, or the place already held the value. Stored is all there can be. */
  readonly restsAtStored: boolean;
}

export type Action =
  | { readonly kind: "enter-commit" }
  | { readonly kind: "meet-gate"; readonly bindingId: string; readonly evidence: Evidence }
  | { readonly kind: "finish" }
  | { readonly kind: "stall"; readonly reason: string }
  | { readonly kind: "unstall" };

export interface Waiting {
  readonly bindingId: string;
  readonly target: string;
  readonly key: string;
  readonly reason: string;
}

export interface Decision {
  readonly actions: readonly Action[];
  readonly waitingFor: readonly Waiting[];
}

export function decide(rollout: RolloutState, members: readonly Member[]): Decision {
  if (rollout.phase === "prepare") return { actions: [{ kind: "enter-commit" }], waitingFor: [] };

  const met: Action[] = [];
  const waitingFor: Waiting[] = [];
  const stuck: string[] = [];
  for (const member of members) {
    const reason = whyNotMet(rollout.toVersion, member);
    if (reason === null) {
      met.push({ kind: "meet-gate", bindingId: member.bindingId, evidence: member.evidence ?? "stored" });
      continue;
    }
    waitingFor.push({ bindingId: member.bindingId, target: member.target, key: member.key, reason });
    if (member.stuck !== null && !member.optional)
      stuck.push(`${member.target} (${member.key}): ${member.stuck}`);
  }
  const held = waitingFor.some((waiting) => !isOptional(members, waiting.bindingId));
  if (!held) return { actions: [...met, { kind: "finish" }], waitingFor };
  if (stuck.length > 0) {
    const reason = stuck.join("; ");
    return {
      actions: [...met, ...(rollout.state === "stalled" ? [] : [{ kind: "stall", reason } as const])],
      waitingFor,
    };
  }
  return {
    actions: [...met, ...(rollout.state === "stalled" ? [{ kind: "unstall" } as const] : [])],
    waitingFor,
  };
}

function whyNotMet(toVersion: number, member: Member): string | null {
  if (member.settledVersion !== toVersion) return member.stuck ?? `not stored yet (v${toVersion})`;
  if (member.restsAtStored && isAtLeast(member.evidence, "stored")) return null;
  if (isAtLeast(member.evidence, member.required)) return null;
  return member.stuck ?? `${member.evidence ?? "nothing"} seen, needs ${member.required}`;
}

function isOptional(members: readonly Member[], bindingId: string): boolean {
  return members.find((member) => member.bindingId === bindingId)?.optional ?? false;
}
