/** One thing that doctor says. Ids are contracts: they may be added, never renamed. */
export const FINDING_IDS = [
  "store-set-back",
  "hand-edit",
  "stale-copy",
  "missing",
  "foreign",
  "not-adopted",
  "no-value",
  "too-old",
  "token-expired",
  "token-not-renewed",
  "token-without-end",
  "push-gave-up",
  "push-retrying",
  "not-pushed",
  "step-open",
  "on-its-way",
  "unit-blocked",
  "unit-restarting",
  "leftover",
  "shadowed",
  "process-behind",
  "staged-change",
  "other-copies",
  "copies-unread",
  "copy-kept",
  "exposed",
  "exposed-to-group",
  "exposed-to-builds",
  "exposed-to-pull-requests",
  "unreadable",
  "unreachable",
  "credential-refused",
  "host-key",
  "target-test",
  "agent-away",
  "agent-refused",
  "agent-release",
  "queue-away",
  "queue-may-lose-jobs",
  "rollout-stalled",
  "old-value-used",
  "alerts-not-delivered",
  "clock",
  "budget-low",
  "own-token-ends",
  "no-recovery-copy",
  "root-key-changed",
  "sealed-unopened",
  "rewrap-unfinished",
  "checks-late",
  "disk-full-soon",
  "key-ring-away",
  "key-version-hidden",
  "key-ring-exposed",
  "value-changed",
  "value-store-away",
  "value-store-unknown",
  "value-removal-owed",
  "value-strangers",
  "vault-log-in-refused",
  "vault-token-not-renewed",
  "vault-token-ends",
  "vault-token-uses-end",
] as const;
export type FindingId = (typeof FINDING_IDS)[number];

/**
 * wrong        a place differs, or Lockstep cannot keep it right without a person
 * cannot-tell  nobody can say whether it is right
 * moving       it differs now and is being made right; nothing to do
 * hint         nothing differs
 */
export const SEVERITIES = ["wrong", "cannot-tell", "moving", "hint"] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface Finding {
  readonly id: FindingId;
  readonly severity: Severity;
  /** Null: every secret of the target, or Lockstep itself. */
  readonly secret: string | null;
  /** Null: every place of the secret, or Lockstep itself. */
  readonly target: string | null;
  readonly key: string | null;
  readonly placement: string | null;
  /** Of the target, or of the secret where no target is meant. */
  readonly environment: string | null;
  /** What differs from what. */
  readonly what: string;
  readonly cause: string;
  /** Who is refused because of it, one sentence each. */
  readonly consequence: readonly string[];
  /** Repairs it; ready to paste, quoted. Null: nothing that a command could do. */
  readonly command: string | null;
}

/** Of a finding about Lockstep itself. */
export const ITSELF = {
  secret: null,
  target: null,
  key: null,
  placement: null,
  environment: null,
  consequence: [],
} as const satisfies Partial<Finding>;

/** What a finding is about is worth naming first; equal ones keep their order. */
export function bySeverity(findings: readonly Finding[]): readonly Finding[] {
  return [...findings].sort((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
}
