/**
 * Reads what a verifier tells about itself: which of our values it holds and when each was used last. A report names no
 * value; which version is meant is found by a fresh nonce.
 *
 * Implementations never throw for what the service or the network does: not knowing is an answer. They throw only
 * CONFIG_INVALID for a specification that they cannot read.
 */

import type { JsonObject } from "../json.ts";
import type { SecretValue } from "../secret-value.ts";

export interface UsageQuestion {
  /** What opens the endpoint; more than one while the token itself moves. */
  readonly tokens: readonly SecretValue[];
  /** Versions by which held values are recognised. */
  readonly versions: ReadonlyMap<number, SecretValue>;
}

export interface Users {
  readonly agoMs: number;
  /** As they named themselves, the latest first; who gives no name is not among them. */
  readonly callers: readonly string[];
}

export type UsageAnswer =
  | {
      readonly state: "told";
      /** Versions in its slots; of several processes, what each of them holds. */
      readonly holds: readonly number[];
      /** Of those that some process holds: how long ago, in ms, it may have been used last. Ages, because clocks differ. */
      readonly usedAgoMs: ReadonlyMap<number, number>;
      /** By version: surely used, and by whom. Left out by who does not tell it. */
      readonly users?: ReadonlyMap<number, Users>;
    }
  | { readonly state: "cannot-tell"; readonly reason: string };

export interface UsageReader {
  /** `spec` is a binding's `usage`, as it stands in lockstep.yaml; it holds no value. */
  readUsage(spec: JsonObject, question: UsageQuestion, signal: AbortSignal): Promise<UsageAnswer>;
}
