/**
 * When the old version may be taken away. Two grades, always shown:
 *
 *   observed   every verifier counts uses, and none has seen the old value for `quietFor`
 *   inventory  every known caller has left; nobody can say that there is no unknown one, so it waits `settleFor`
 */
import { type Member, sends, verifies } from "./member.ts";

export interface Settling {
  readonly grade: "observed" | "inventory";
  /** 0: over. */
  readonly leftMs: number;
  readonly why: string;
}

export function settling(
  rollout: {
    readonly phaseStartedAtMs: number;
    readonly urgent: boolean;
    readonly fromVersion: number | null;
    readonly waits: { readonly settleForMs: number; readonly quietForMs: number };
  },
  members: readonly Member[],
  nowMs: number,
): Settling {
  const { waits, fromVersion, phaseStartedAtMs } = rollout;
  const old = `v${String(fromVersion)}`;
  const verifiers = members.filter((member) => verifies(member) && !member.optional);
  // A weekly job that was silent since Monday has not left on Tuesday.
  const silenceMs = Math.max(0, ...members.filter(sends).map(({ silentForMs }) => silentForMs));
  if (rollout.urgent) return { grade: "inventory", leftMs: 0, why: "urgent: nobody is waited for" };
  const used = verifiers.map(({ oldUsedAtMs }) => oldUsedAtMs);
  if (verifiers.length > 0 && used.every((at) => at !== undefined)) {
    const since = Math.max(phaseStartedAtMs, ...used.map((at) => at ?? 0));
    const quietMs = Math.max(waits.quietForMs, silenceMs);
    return {
      grade: "observed",
      leftMs: Math.max(0, since + quietMs - nowMs),
      why: `no verifier may see ${old} for ${inWords(quietMs)}`,
    };
  }
  const waitMs = Math.max(waits.settleForMs, silenceMs);
  return {
    grade: "inventory",
    leftMs: Math.max(0, phaseStartedAtMs + waitMs - nowMs),
    why: `no known caller uses ${old}; kept for ${inWords(waitMs)} in case of an unknown one`,
  };
}

/** 90s, 15m, 24h, 30d: the largest unit that divides it. */
export function inWords(ms: number): string {
  const seconds = Math.ceil(ms / 1_000);
  for (const [unit, size] of [
    ["d", 86_400],
    ["h", 3_600],
    ["m", 60],
  ] as const) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size}${unit}`;
  }
  return `${seconds}s`;
}
