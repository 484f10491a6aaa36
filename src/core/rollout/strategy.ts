/**
 * How a secret moves from one version to another: strategies, their phases, and what each phase is for.
 *
 *   overlap  accept ▸ switch ▸ settle ▸ retire    verifiers accept two values
 *   swap     stage ▸ swap ▸ switch ▸ settle ▸ retire    the verifier holds one, callers try both
 *   issued   switch ▸ settle ▸ retire    the issuer verifies, and old tokens live on
 *   replace  prepare ▸ commit    nobody can hold two, or the old value is compromised
 */
import type { Role } from "../secret.ts";

export const STRATEGIES = ["overlap", "swap", "issued", "replace"] as const;
export type Strategy = (typeof STRATEGIES)[number];

export type Phase = "prepare" | "commit" | "accept" | "stage" | "swap" | "switch" | "settle" | "retire";

export const PHASES: Readonly<Record<Strategy, readonly [Phase, ...Phase[]]>> = {
  overlap: ["accept", "switch", "settle", "retire"],
  swap: ["stage", "swap", "switch", "settle", "retire"],
  issued: ["switch", "settle", "retire"],
  replace: ["prepare", "commit"],
};

/** Raised with every change of meaning; older workers leave rollouts of a newer engine alone. */
export const ENGINE_VERSION = 2;

/** On entering it the new version becomes current: from here on somebody may use it, and only a rollback leads back. */
const TURNING_POINT: Readonly<Record<Strategy, Phase>> = {
  overlap: "switch",
  swap: "swap",
  issued: "switch",
  replace: "commit",
};

/** How often a unit is deployed during a rollout, by what its binding does. */
export const DEPLOYMENTS: Readonly<Record<Strategy, Readonly<Record<Role, number>>>> = {
  overlap: { verifier: 2, both: 3, caller: 1 },
  swap: { verifier: 1, both: 0, caller: 3 },
  issued: { verifier: 0, both: 1, caller: 1 },
  replace: { verifier: 1, both: 1, caller: 1 },
};

export function firstPhase(strategy: Strategy): Phase {
  return PHASES[strategy][0];
}

/** Null after the last. */
export function phaseAfter(strategy: Strategy, phase: string): Phase | null {
  const phases: readonly string[] = PHASES[strategy];
  return (phases[phases.indexOf(phase) + 1] ?? null) as Phase | null;
}

export function isTurningPoint(strategy: Strategy, phase: string): boolean {
  return TURNING_POINT[strategy] === phase;
}

/** Somebody may use the new version already. */
export function isPastTurn(strategy: Strategy, phase: string): boolean {
  const phases: readonly string[] = PHASES[strategy];
  return phases.indexOf(phase) >= phases.indexOf(TURNING_POINT[strategy]);
}
