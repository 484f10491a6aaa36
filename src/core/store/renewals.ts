import type { Json, JsonObject } from "../json.ts";
import type { IssuedPolicy } from "../policy.ts";
import type { RenewalLevel } from "../renewal/due.ts";
import type { SecretRecord } from "./secrets.ts";

export interface FailedTry {
  readonly code: string;
  readonly message: string;
  readonly atMs: number;
}

/** How far the renewal of one secret is. Instants in ms since the epoch. */
export interface RenewalState {
  /** The version that it made last, with the life that its issuer gave; null: it has made none. */
  readonly made: {
    readonly version: number;
    readonly atMs: number;
    readonly expiresAtMs: number | null;
  } | null;
  /** A request that began and whose end was not written down. */
  readonly attempt: { readonly id: string; readonly atMs: number } | null;
  /** What the last attempt presented. */
  readonly singleUse: { readonly secretId: string; readonly version: number } | null;
  /** A new one was seen to come in its place: presented, it may be spent. */
  readonly rotates: boolean;
  /** How often it was refused since it was good last. */
  readonly refusals: number;
  /** Another process asks at this moment. */
  readonly isTaken: boolean;
  readonly notBeforeMs: number | null;
  readonly failures: number;
  readonly failed: FailedTry | null;
  /** Since when a person must act. */
  readonly lostAtMs: number | null;
  /** `IssuePolicy.stored` as it was asked with last. */
  readonly issue: Json | null;
}

export interface RenewalCandidate extends SecretRecord {
  readonly policy: IssuedPolicy;
  readonly state: RenewalState;
  /** The newest version that is staged or current; null: there is no value yet. */
  readonly newest: {
    readonly version: number;
    readonly madeAtMs: number;
    readonly expiresAtMs: number | null;
  } | null;
  /** Of `state.singleUse`'s secret: its current version. */
  readonly singleUseCurrent: number | null;
  /** What a person was told already. */
  readonly level: RenewalLevel | null;
}

export interface NewAttempt {
  readonly id: string;
  readonly issue: JsonObject;
  readonly origin: string | null;
  readonly singleUse: RenewalState["singleUse"];
  readonly owner: string;
  readonly leaseMs: number;
}

export interface RenewalRepo {
  /** Every secret whose tokens an issuer makes. Which are due is for `core/renewal`. */
  candidates(filter?: {
    readonly environment?: string;
    readonly secretIds?: readonly string[];
  }): Promise<readonly RenewalCandidate[]>;
  /** The same of one; null: it is not such a secret. */
  find(secretId: string): Promise<RenewalCandidate | null>;
  /** The same of one, with its row locked until the transaction ends; null: it is not such a secret. */
  lock(secretId: string): Promise<RenewalCandidate | null>;
  /** Another secret's attempt that may use the same up: true. */
  isUsedUpElsewhere(secretId: string, singleUseSecretId: string): Promise<boolean>;
  /** Requests within the last minute, of all workers; serialised per origin until the transaction ends. */
  askedLately(origin: string): Promise<number>;
  /** Until when the origin itself said to wait, ms since the epoch; null: it did not. */
  heldUntilMs(origin: string): Promise<number | null>;
  begin(secretId: string, attempt: NewAttempt): Promise<void>;
  /** Something came in place of what was presented. */
  sawRotation(secretId: string): Promise<void>;
  /** False: this attempt is not the last one any more. */
  succeed(secretId: string, attempt: string, made: NonNullable<RenewalState["made"]>): Promise<boolean>;
  /** `attempt` null: nothing was asked; one that is written down stays. `isLost`: a person must act. False: as above. */
  fail(
    secretId: string,
    attempt: string | null,
    failure: {
      readonly failed: FailedTry;
      readonly notBeforeMs: number;
      readonly counts: boolean;
      readonly isLost: boolean;
      /** What was presented was refused. */
      readonly isRefusal: boolean;
    },
  ): Promise<boolean>;
  /** Nothing failed: it only has to wait. */
  postpone(secretId: string, notBeforeMs: number): Promise<void>;
  /** What failed for want of that secret may be tried at once: it has a new value. Touches what names it, and no more. */
  wake(environmentId: string, secretName: string): Promise<void>;
  /** The unit that took longest to use a new value within the last 30 days. */
  slowestActivation(secretId: string): Promise<{ readonly unit: string; readonly ms: number } | null>;
}
