/** Which of doctor's findings wake a person, and after how long. Pure. */
import type { Finding, FindingId } from "../doctor/finding.ts";

export interface Alertable {
  readonly kind: FindingId;
  readonly level: string;
  /** Of the finding: the same as long as it is about the same thing. */
  readonly identity: readonly (string | null)[];
  /** For lists: NAME at TARGET. */
  readonly about: string;
  readonly message: string;
  /** Empty: nothing that a command could do. */
  readonly remedy: string;
  /** What is over by then is told to nobody. */
  readonly holdMs: number;
}

/** Nothing is wrong yet, as far as anybody can say, and it is worth knowing before something is. */
const BEFOREHAND: ReadonlySet<FindingId> = new Set([
  "agent-away",
  "unreachable",
  "budget-low",
  "own-token-ends",
  "disk-full-soon",
]);
/** Alerts of their own, with levels, tell of tokens; and what does not arrive is not told by what does not arrive. */
const ELSEWHERE: ReadonlySet<FindingId> = new Set([
  "token-expired",
  "token-not-renewed",
  "alerts-not-delivered",
]);
/** A place that is away for a moment is no news: the loop tries again by itself. */
const HOLD_MS: Readonly<Partial<Record<FindingId, number>>> = {
  "push-retrying": 120_000,
  "not-pushed": 60_000,
  unreachable: 120_000,
  // Sealed for a moment, or the leader changes.
  "key-ring-away": 30_000,
  // A renewal is tried again several times before anything ends.
  "vault-token-not-renewed": 120_000,
  // A machine that was just configured has no agent yet.
  "agent-away": 120_000,
  // After a stop of all, the first round catches up.
  "checks-late": 120_000,
  // What is away for a moment stops nothing that anybody would notice.
  "value-store-away": 120_000,
};

/** None, or one. */
export function alertableOf(finding: Finding): readonly Alertable[] {
  const { id, severity, environment, secret, target, key, placement, what, cause, consequence, command } =
    finding;
  if (ELSEWHERE.has(id) || (severity !== "wrong" && !BEFOREHAND.has(id))) return [];
  return [
    {
      kind: id,
      level: severity,
      identity: [environment, secret, target, placement, key],
      about: [secret, target].filter((name) => name !== null).join(" at ") || "Lockstep",
      message: [what, cause, ...consequence].join(" "),
      remedy: command ?? "",
      holdMs: HOLD_MS[id] ?? 0,
    },
  ];
}
