/** What stands at a target, and who uses it: addresses, what a look found there, units. */
import type { LockstepError } from "../errors.ts";
import type { JsonObject } from "../json.ts";
import type { SecretValue } from "../secret-value.ts";

/**
 * One key at a target. `placement` is the file's path on hosts, '' where the target is one flat place, or a word of the
 * place's own where keys of one name may stand in two scopes (`shared` at Railway).
 */
export interface Address {
  readonly placement: string;
  readonly key: string;
}

export type Observed =
  /** `or`: a second value that the same bytes may stand for. */
  | { readonly state: "present"; readonly value: SecretValue; readonly or?: SecretValue }
  /** `why`: where more is known than that nothing stands there. */
  | { readonly state: "absent"; readonly why?: string }
  /** It exists but cannot be read: sealed, or no right to. `changedAt`: the place's own word on its last change. */
  | { readonly state: "unreadable"; readonly reason: string; readonly changedAt?: string }
  /** It points elsewhere (`${{shared.X}}`): somebody's arrangement, never overwritten without an explicit word. */
  | { readonly state: "reference"; readonly text: string }
  /** Looked at by the place's agent, which recognises versions and sends no value. */
  | { readonly state: "recognised"; readonly version: number }
  /** No version of ours; `nearly`: what it would be, or why nobody can say which value it is. */
  | { readonly state: "unrecognised"; readonly nearly?: string };

export interface ObservedKey extends Address {
  readonly observed: Observed;
  /** A change that somebody staged and did not commit; it would override ours. */
  readonly pendingManualChange?: boolean;
  /** What a write would be refused for, as far as a look can tell. */
  readonly obstacle?: LockstepError;
}

/** What restarts: Railway service instance, systemd unit, … */
export interface UnitSpec {
  /** Canonical and global, for example `railway:<environment id>/<service id>`. */
  readonly key: string;
  /** For people. */
  readonly name: string;
  readonly kind: string;
  readonly config: JsonObject;
  /** Units that one request can follow together, for example `railway:<environment id>`. */
  readonly followGroup: string;
}

/** What takes a key from a place that is not its own, by a reference there. */
export interface UserUnit extends UnitSpec {
  /** Canonical name of its own place: whose keys are bound there, it restarts with them. */
  readonly locationKey: string;
  /** Keys of the place that was looked at. */
  readonly keys: readonly string[];
}

export interface SetItem extends Address {
  readonly value: SecretValue;
  readonly locationKey?: string;
}
