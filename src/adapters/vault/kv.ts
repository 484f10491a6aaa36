/** KV v2 over a logged-in line: exact calls, every answer's form checked. */
import type { Vault } from "./vault.ts";

/** `mount` may hold slashes; `path` is relative to it. Both as people write them, without leading or trailing slash. */
export interface KvPath {
  readonly mount: string;
  readonly path: string;
}

export type KvRead =
  | {
      readonly state: "present";
      readonly version: number;
      readonly createdTime: string;
      /** The whole map; what is no string stands as it was parsed. */
      readonly data: Readonly<Record<string, unknown>>;
      /** Keys whose value holds a number that does not survive parsing (above 2^53, or more digits than a double has). */
      readonly inexactKeys: readonly string[];
    }
  /** Deleted (recoverable) or destroyed; a write needs its number. */
  | { readonly state: "deleted" | "destroyed"; readonly version: number; readonly createdTime: string }
  /** Never written, pruned, or without metadata. */
  | { readonly state: "absent" };

export interface KvWritten {
  readonly version: number;
  readonly createdTime: string;
  /** Not empty: the mount or the key lets versions expire. */
  readonly deletionTime: string;
}

export interface KvMetadata {
  readonly currentVersion: number;
  readonly versions: ReadonlyMap<
    number,
    { readonly createdTime: string; readonly deletionTime: string; readonly destroyed: boolean }
  >;
  readonly customMetadata: Readonly<Record<string, string>> | null;
}

export interface Kv {
  /** `version` left out: the newest. Throws VaultFailure. */
  read(at: KvPath, signal: AbortSignal, version?: number): Promise<KvRead>;
  /** Replaces the whole map. `conflict` when the current version is not `cas`; `outcome-unknown` for a lost answer. */
  write(
    at: KvPath,
    data: Readonly<Record<string, unknown>>,
    cas: number,
    signal: AbortSignal,
  ): Promise<KvWritten>;
  /** Null: no such key. */
  metadata(at: KvPath, signal: AbortSignal): Promise<KvMetadata | null>;
  /** Names directly below; those of folders end in `/`. Empty: nothing there. */
  list(at: KvPath, signal: AbortSignal): Promise<readonly string[]>;
  destroy(at: KvPath, versions: readonly number[], signal: AbortSignal): Promise<void>;
  /** All versions and the metadata; well also when nothing is there. */
  deleteMetadata(at: KvPath, signal: AbortSignal): Promise<void>;
  /** Soft delete of the newest. */
  deleteLatest(at: KvPath, signal: AbortSignal): Promise<void>;
  /** Labels for people; best effort, never decided on. */
  label(at: KvPath, labels: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void>;
  /** `2`, `1`, or null where the token may not know it. Throws `mount` for an engine of another kind. */
  engineVersion(mount: string, signal: AbortSignal): Promise<1 | 2 | null>;
}

export type CreateKv = (vault: Vault) => Kv;
