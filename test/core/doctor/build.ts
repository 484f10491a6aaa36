/** Facts as short as a case needs them: one secret, healthy places, and what differs. */
import type {
  AdoptionFacts,
  BindingFacts,
  DoctorFacts,
  SecretFacts,
  TargetFacts,
} from "../../../src/core/doctor/facts.ts";

export const NOW = new Date("2026-03-01T12:00:00Z");
export const ago = (minutes: number): Date => new Date(NOW.getTime() - minutes * 60_000);

export function healthyBinding(target: string, changes: Partial<BindingFacts> = {}): BindingFacts {
  return {
    target,
    targetEnvironment: "production",
    placement: "",
    key: "AUTH",
    role: "both",
    wanted: 5,
    settled: 5,
    settledAt: ago(180),
    state: "in-sync",
    version: 5,
    fallback: null,
    found: "version",
    foundReason: null,
    observedAt: ago(0),
    evidence: "deployed",
    oldUse: null,
    copies: [],
    lacking: null,
    unit: null,
    ...changes,
  };
}

export function healthyTarget(name: string, changes: Partial<TargetFacts> = {}): TargetFacts {
  return {
    name,
    environment: "production",
    kind: "railway",
    sshAddress: null,
    healsInVain: 0,
    systemdUnit: null,
    testFailures: [],
    exposures: [],
    unreadCopies: [],
    sharedFiles: [],
    gaveUp: false,
    error: null,
    nextActionAt: null,
    look: "looked",
    ...changes,
  };
}

export interface FactParts {
  readonly bindings: readonly BindingFacts[];
  readonly targets?: readonly TargetFacts[];
  readonly secret?: Partial<SecretFacts>;
  readonly adoption?: AdoptionFacts;
  readonly severalEnvironments?: boolean;
  readonly queueAway?: boolean;
  readonly queueTrouble?: DoctorFacts["queueTrouble"];
  readonly mutedChannels?: DoctorFacts["mutedChannels"];
  readonly itself?: Partial<
    Pick<
      DoctorFacts,
      | "setBack"
      | "clockSkewMs"
      | "lowBudgets"
      | "endingTokens"
      | "recoveryCopy"
      | "sealing"
      | "keptCopies"
      | "keyRings"
      | "values"
      | "vaultToken"
      | "checksLateMs"
      | "space"
    >
  >;
}

/** Targets that are not given are healthy. */
export function factsOf(parts: FactParts): DoctorFacts {
  const given = parts.targets ?? [];
  const names = [...new Set(parts.bindings.map(({ target }) => target))];
  const missing = names.filter((name) => !given.some((target) => target.name === name));
  return {
    now: NOW,
    severalEnvironments: parts.severalEnvironments ?? false,
    release: "1.2.3",
    setBack: null,
    clockSkewMs: 0,
    lowBudgets: [],
    endingTokens: [],
    recoveryCopy: "checked",
    sealing: { hasCurrent: true, unopened: 0, underOthers: 0 },
    keyRings: [],
    checksLateMs: 0,
    space: { bytes: 10_000_000, freeBytes: null, growth: null },
    keptCopies: [],
    vaultToken: null,
    values: { away: null, troubled: [], owed: { count: 0, errorCode: null }, strangers: 0, unknownStore: 0 },
    ...parts.itself,
    queueAway: parts.queueAway ?? false,
    queueTrouble: parts.queueTrouble ?? null,
    mutedChannels: parts.mutedChannels ?? [],
    secrets: [
      {
        name: "INTERNAL_AUTH_SECRET",
        environment: "production",
        current: 5,
        currentSince: ago(180),
        currentMadeAt: ago(180),
        maxAgeMs: null,
        rollout: null,
        token: null,
        adoption: parts.adoption ?? null,
        bindings: parts.bindings,
        ...parts.secret,
      },
    ],
    targets: [...given, ...missing.map((name) => healthyTarget(name))],
  };
}
