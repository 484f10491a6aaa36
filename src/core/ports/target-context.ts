/** What an open target is given: its share of quotas, its store's identity, what its reads are for. */
import type { JsonObject } from "../json.ts";

/** What a target may use of its surroundings. */
export interface TargetContext {
  /** For error messages. */
  readonly targetName: string;
  /** Asks for `cost` requests of the credential `budgetKey`; throws TARGET_RATE_LIMITED with retryAfterMs when spent. */
  readonly budget: RequestBudget;
  /** Our own store's identity, to tell our markers from others. */
  readonly storeId: string;
  /** Leave the non-secret LOCKSTEP_REV marker where writes happen anyway. */
  readonly revisionMarker: boolean;
  /** What its reads are for: looking around leaves the budget's reserved share alone. Default "push". */
  readonly purpose?: "push" | "background";
  /**
   * Puts `credentials` in the place of those that the target was opened with, sealed, before they are used: what a credential
   * that is good once became. Left out: nothing is stored for this target, and what is good once must not be used up. Others
   * that were given meanwhile stay. Throws when it could not be stored.
   */
  readonly keepCredentials?: (credentials: JsonObject) => Promise<void>;
  /** For one of several looks that began together: what they would all read may be read once. */
  readonly sharedReads?: SharedReads;
}

/** Reads that looks which began together share; gone with them. */
export interface SharedReads {
  /** `key` must name all that the answer depends on. The signal is that of all looks together. */
  once<T>(key: string, read: (signal: AbortSignal) => Promise<T>): Promise<T>;
}

/** Requests that a credential's owner grants, shared by all workers through Postgres. `key` must not be a credential. */
export interface RequestBudget {
  take(key: string, cost: number, purpose: "push" | "background"): Promise<void>;
  /** What the place said about itself: overrides our count. */
  report(
    key: string,
    seen: {
      readonly limit?: number;
      readonly remaining?: number;
      readonly resetsAt?: Date;
      readonly retryAfterMs?: number;
    },
  ): Promise<void>;
}
