/** Secrets and their versions: the vocabulary shared by the store, the rollouts and the faces. */
export const VERSION_STATES = ["staged", "current", "retiring", "retired", "destroyed", "abandoned"] as const;
export type VersionState = (typeof VERSION_STATES)[number];

export const SLOTS = ["primary", "fallback"] as const;
export type Slot = (typeof SLOTS)[number];

export const ROLES = ["verifier", "caller", "both"] as const;
export type Role = (typeof ROLES)[number];

export interface VersionName {
  readonly secretId: string;
  readonly version: number;
}

/** A plain secret has one field of this name; several fields change together. */
export const PLAIN_FIELD = "value";

const MOVES: Readonly<Record<VersionState, readonly VersionState[]>> = {
  staged: ["current", "abandoned"],
  current: ["retiring", "retired"],
  retiring: ["retired", "current"],
  // back to current by rollback only
  retired: ["destroyed", "current"],
  abandoned: ["destroyed"],
  destroyed: [],
};

export function mayMove(from: VersionState, to: VersionState): boolean {
  return MOVES[from].includes(to);
}
