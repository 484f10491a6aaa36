/**
 * Looks around at Railway with a token that belongs to no target yet: what could be named in lockstep.yaml. Reads
 * names and ids alone, never a variable. Nothing of the token is kept; only the request budget counts by its digest,
 * as it will for the target that uses it later.
 *
 * Both throw INPUT_INVALID for an address that a token must not be sent to, TARGET_CREDENTIAL_REJECTED for a token
 * that Railway refuses, and what a Railway target throws when it cannot be reached.
 */
import type { SecretValue } from "../secret-value.ts";

export interface RailwayAccess {
  readonly token: SecretValue;
  /** Null: Railway's own. */
  readonly endpoint: string | null;
}

export interface FoundName {
  readonly id: string;
  /** As the place calls it; made visible, for people alone. */
  readonly name: string;
}

export interface FoundEnvironment extends FoundName {
  /** False: restricted, and the token's owner has no access. */
  readonly accessible: boolean;
}

export interface FoundProject extends FoundName {
  readonly environments: readonly FoundEnvironment[];
}

export interface RailwayExplorer {
  /** What the token reaches: of a project token one environment. Environments of pull requests are left out. */
  projects(
    access: RailwayAccess,
    signal: AbortSignal,
  ): Promise<{ readonly tokenKind: "project" | "account"; readonly projects: readonly FoundProject[] }>;

  /** The services that have an instance in this environment. */
  services(access: RailwayAccess, environmentId: string, signal: AbortSignal): Promise<readonly FoundName[]>;
}
