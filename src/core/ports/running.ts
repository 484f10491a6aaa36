/**
 * Looks into what runs now, to tell which versions the living processes hold: possession by the process, the step of
 * evidence above "a restart has finished well". Nothing is changed by looking.
 */

import type { JsonObject } from "../json.ts";
import type { SecretValue } from "../secret-value.ts";
import type { Address, UnitSpec } from "./place.ts";

export interface RunningQuestion {
  readonly unit: UnitSpec;
  readonly keys: readonly RunningKeyQuestion[];
}

export interface RunningKeyQuestion extends Address {
  /** Versions by which the held value is recognised, as this binding renders them. */
  readonly candidates: ReadonlyMap<number, SecretValue>;
}

export type RunningFound =
  | { readonly state: "version"; readonly version: number }
  | { readonly state: "unknown" }
  | { readonly state: "absent" }
  /** It cannot be seen: missing rights, a format that does not go through the environment. `reason` holds the remedy. */
  | { readonly state: "unreadable"; readonly reason: string };

/** One life of a unit that serves now; several while an old one drains, and with replicas that cannot be told apart one. */
export interface RunningLife {
  /** The same as long as it lives, another after any restart: deployment and instance, or boot, pid and start time. */
  readonly id: string;
  readonly incarnation: JsonObject;
  /** One entry per asked key, in that order. */
  readonly keys: readonly RunningFound[];
}

export type RunningAnswer =
  | { readonly state: "lives"; readonly lives: readonly RunningLife[] }
  /** No process, and none is woken. */
  | { readonly state: "dormant" }
  /** A restart or a deployment is under way, an older life drains: look again later. */
  | { readonly state: "changing"; readonly reason: string }
  | { readonly state: "cannot-tell"; readonly reason: string };

export interface RunningObserver {
  /** One answer per question, in order. Throws what `Target.observe` throws when it could not look at all. */
  look(questions: readonly RunningQuestion[], signal: AbortSignal): Promise<readonly RunningAnswer[]>;
}
