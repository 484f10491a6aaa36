/**
 * Where the values of versions are kept. Postgres holds each sealed in its version's row; another store holds it under a
 * name, and the row says the name alone. Never called while a transaction holds locks: it may ask over the network.
 */
import type { VersionName } from "./store/secrets.ts";

/** What a version's row says of where its value is. */
export type StoredValue =
  /** An envelope of {"field": "value", …}, sealed with `versionAssociatedData(secretId, version)`. */
  | { readonly kind: "sealed"; readonly sealed: string }
  /** `createdTime`: as the other store says it; a value that was removed and written anew has another. */
  | { readonly kind: "named"; readonly name: string; readonly createdTime: string };

export interface ValueStore {
  /** As it stands in settings and audit entries. */
  readonly name: "postgres" | "vault";
  /**
   * Of one try to put a value: made for it alone, and written down before the value is put, so that a try that failed
   * can be found. Null: nothing stands anywhere until the row does.
   */
  nameFor(version: number): string | null;
  /** Throws VALUE_STORE_UNAVAILABLE, VALUE_STORE_REFUSED, VALUE_STORE_CHANGED, VALUE_INVALID. May be repeated with the same name and text. */
  put(of: VersionName, name: string | null, plain: string): Promise<StoredValue>;
  /** Throws SEALED_UNREADABLE, VALUE_STORE_UNAVAILABLE, VALUE_STORE_REFUSED, VALUE_STORE_CHANGED. */
  read(of: VersionName, stored: StoredValue): Promise<string>;
}

export interface ValueStores {
  /** Where new values go. */
  readonly wanted: ValueStore;
  /** In Postgres, sealed. */
  readonly sealed: ValueStore;
}
