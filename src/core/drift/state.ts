/**
 * What a binding's state is called, from what should stand there, what was settled and what was last seen. Pure.
 * Order matters: what we owe ourselves is named before what others did.
 */
export const BINDING_STATES = [
  "in-sync",
  "owed",
  "stale",
  "foreign",
  "missing",
  "leftover",
  "shadowed",
  "unreadable",
] as const;
export type BindingState = (typeof BINDING_STATES)[number];

export interface BindingFacts {
  /** Null: the secret has no value yet, so nothing is owed. */
  readonly wantedVersion: number | null;
  readonly settledVersion: number | null;
  /** Null: never looked at. */
  readonly found: "version" | "unknown" | "absent" | "unreadable" | null;
  readonly foundVersion: number | null;
}

export function bindingState(facts: BindingFacts): BindingState {
  const { wantedVersion, settledVersion, found, foundVersion } = facts;
  if (wantedVersion === null) return found === "unreadable" ? "unreadable" : "in-sync";
  if (settledVersion !== wantedVersion) return found === "unknown" ? "foreign" : "owed";
  switch (found) {
    case "unreadable":
      return "unreadable";
    case "unknown":
      return "foreign";
    case "absent":
      return "missing";
    case "version":
      return foundVersion === wantedVersion ? "in-sync" : "stale";
    case null:
      return "unreadable";
  }
}

/** States in which something else than what we settled was seen. */
export function isDrift(state: BindingState): boolean {
  return (
    state === "stale" ||
    state === "foreign" ||
    state === "missing" ||
    state === "leftover" ||
    state === "shadowed"
  );
}
