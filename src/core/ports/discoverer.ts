/**
 * Looking beyond the keys that are bound: what else within the same credential's reach holds a value that the store
 * knows, or a key of the same name. An optional power of a target; it changes nothing.
 *
 * Values are compared inside: whoever discovers asks `knows` and drops what it does not know, unless its key is one
 * of `keys`. What leaves is a SecretValue, for the caller to name the version.
 */

import type { JsonObject } from "../json.ts";
import type { SecretValue } from "../secret-value.ts";
import type { Address, Observed } from "./place.ts";

export interface Interest {
  /** Keys under which managed secrets stand. */
  readonly keys: ReadonlySet<string>;
  /** True for a value that the store knows, under whatever key. */
  readonly knows: (value: SecretValue) => boolean;
}

export interface DiscoveredKey extends Address {
  /** As `TargetKind.place` names it: who owns a key there is asked by it. */
  readonly locationKey: string;
  /** For people: `service worker`, `the shared scope`, a file's path. */
  readonly name: string;
  /** References are left out: they follow what they point to. */
  readonly observed: Extract<Observed, { readonly state: "present" | "unreadable" }>;
  /** How a target there would be configured, without its credential; null where only the asked target reaches it. */
  readonly config: JsonObject | null;
  /** Of a host: the file, and whether the asked target has it already. */
  readonly file: { readonly path: string; readonly format: string; readonly configured: boolean } | null;
}

export interface Discovery {
  readonly found: readonly DiscoveredKey[];
  /** What was within reach and could not be read, with the reason. */
  readonly unseen: readonly { readonly name: string; readonly reason: string }[];
}

export interface Discoverer {
  /** Throws when nothing could be looked at at all. */
  discover(interest: Interest, signal: AbortSignal): Promise<Discovery>;
}
