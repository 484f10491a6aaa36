/**
 * Observes what runs now, to tell which versions the running instances hold: possession by the process, the step of
 * evidence above "a restart has finished well". Observing changes nothing.
 *
 * An incarnation is one start of a unit, and what tells it from the next: boot, pid and start time of a process, the
 * invocation of a systemd unit, or a deployment with the ids of its replicas. It ends with the process; a restart of the
 * same program is another incarnation.
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

/** A start of a unit that serves now. Several while an old one drains; replicas that cannot be told apart are one. */
export interface RunningInstance {
  /** The same until it ends, another after any restart. */
  readonly id: string;
  readonly incarnation: JsonObject;
  /** One entry per asked key, in that order. */
  readonly keys: readonly RunningFound[];
}

export type RunningAnswer =
  | { readonly state: "running"; readonly instances: readonly RunningInstance[] }
  /** No process, and none is woken. */
  | { readonly state: "dormant" }
  /** A restart or a deployment is under way, an older instance drains: observe again later. */
  | { readonly state: "changing"; readonly reason: string }
  | { readonly state: "cannot-tell"; readonly reason: string };

export interface RunningObserver {
  /** One answer per question, in order. Throws what `Target.observe` throws when it could not look at all. */
  observe(questions: readonly RunningQuestion[], signal: AbortSignal): Promise<readonly RunningAnswer[]>;
}
