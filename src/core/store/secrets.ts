import type { JsonObject } from "../json.ts";
import type { SecretPolicy } from "../policy.ts";
import type { StoredValue } from "../ports/value-store.ts";
import type { VersionName, VersionState } from "../secret.ts";

export interface SecretRecord {
  readonly id: string;
  readonly environmentId: string;
  readonly environment: string;
  readonly name: string;
  readonly policy: SecretPolicy;
}

export interface VersionRecord {
  readonly secretId: string;
  readonly version: number;
  readonly state: VersionState;
  readonly compromisedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly fingerprint: string;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly stateChangedAt: Date;
}

export interface NewVersion {
  readonly secretId: string;
  /** From `lockForNewVersion`. */
  readonly version: number;
  readonly state: Extract<VersionState, "staged" | "current" | "retired">;
  readonly value: StoredValue;
  readonly fingerprint: string;
  readonly createdBy: string;
  readonly expiresAt?: Date;
}

export interface SecretRepo {
  findEnvironment(name: string): Promise<{ readonly id: string; readonly name: string } | null>;
  /** Finds or creates. */
  ensureEnvironment(name: string): Promise<{ readonly id: string; readonly created: boolean }>;
  listEnvironments(): Promise<readonly { readonly id: string; readonly name: string }[]>;

  /** Removed secrets are not found. */
  find(environment: string, name: string): Promise<SecretRecord | null>;
  findById(secretId: string): Promise<SecretRecord | null>;
  /** By environment and name. */
  list(environment?: string): Promise<readonly SecretRecord[]>;
  /** `policy`: from `policyToStore`. */
  create(secret: {
    readonly environmentId: string;
    readonly name: string;
    readonly policy: JsonObject;
  }): Promise<SecretRecord>;
  setPolicy(secretId: string, policy: JsonObject): Promise<void>;

  /** Locks the secret's row until the transaction ends, and answers the number that the next version must have. */
  lockForNewVersion(secretId: string): Promise<number>;
  addVersion(version: NewVersion): Promise<void>;
  /** Newest first. */
  versions(secretId: string): Promise<readonly VersionRecord[]>;
  /** By the fingerprint that a value would have as each secret's, by secret id; newest first, none destroyed. */
  versionsWithFingerprint(fingerprints: ReadonlyMap<string, string>): Promise<readonly VersionName[]>;
  replaceSealedValue(secretId: string, version: number, valueSealed: string): Promise<void>;
  /** Refuses a move that `mayMove` does not allow with VERSION_STATE. Destroying drops the value, or the name that it has elsewhere. */
  moveVersion(secretId: string, version: number, to: VersionState): Promise<void>;
  /** Names of targets where a live binding was settled with this version, or was seen to hold it last. */
  placesHolding(secretId: string, version: number): Promise<readonly string[]>;
  markCompromised(secretId: string, version: number): Promise<void>;
}
