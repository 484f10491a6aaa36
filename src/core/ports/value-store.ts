/**
 * Where the values of versions are kept. Postgres holds each sealed in its version's row; another store holds it under a
 * name, and the row says the name alone. Never called while a transaction holds locks: it may ask over the network.
 */
import type { VersionName } from "../secret.ts";

/** A value under a name in another store than Postgres. */
export interface ValueName extends VersionName {
  readonly name: string;
}

/** What a version's row says of where its value is. */
export type StoredValue =
  /** An envelope of {"field": "value", …}, sealed with `versionAssociatedData(secretId, version)`. */
  | { readonly kind: "sealed"; readonly sealed: string }
  /** `createdTime`: as the other store says it; a value that was removed and written anew has another. */
  | { readonly kind: "named"; readonly name: string; readonly createdTime: string };

/**
 * How a value is found that is not as it was put: another one stands there or beside it, it was deleted and can be
 * restored, it was destroyed, or nothing is known of it.
 */
export type ValueTrouble = "changed" | "deleted" | "destroyed" | "absent";

export interface ValueStore {
  /** As it stands in settings and audit entries. */
  readonly name: "postgres" | "vault";
  /**
   * Of one try to put a value: made for it alone, and written down before the value is put, so that a try that failed
   * can be found. Null: nothing stands anywhere until the row does.
   */
  nameFor(version: number): string | null;
  /**
   * May be repeated with the same name and text. Throws VALUE_STORE_UNAVAILABLE, VALUE_STORE_REFUSED, VALUE_STORE_CHANGED
   * when something else stands under that name, VALUE_INVALID.
   */
  put(of: VersionName, name: string | null, plain: string): Promise<StoredValue>;
  /**
   * Throws SEALED_UNREADABLE, VALUE_STORE_UNAVAILABLE, VALUE_STORE_REFUSED, and VALUE_STORE_CHANGED with a `trouble` in its
   * details. Whether it is the value that was put is told by its fingerprint, which is the caller's to compare.
   */
  read(of: VersionName, stored: StoredValue): Promise<string>;
}

/** Outside of Postgres. All of it throws VALUE_STORE_UNAVAILABLE and VALUE_STORE_REFUSED. */
export interface NamedValueStore extends ValueStore {
  /** For people: where it stands there. */
  addressOf(value: ValueName): string;
  /** Without reading the value. Null: it is there as it was put. */
  look(value: ValueName, createdTime: string): Promise<ValueTrouble | null>;
  /** For good, with what is known of it. Well also when nothing is there. */
  remove(value: ValueName): Promise<void>;
  /** Ids of secrets of which something stands there, sorted. */
  secrets(): Promise<readonly string[]>;
  values(secretId: string): Promise<readonly ValueName[]>;
  /** Since it was put, by that store's own clock. Null: it is not there. */
  ageMs(value: ValueName): Promise<number | null>;
}

export interface ValueStores {
  /** Where new values go. */
  readonly wanted: ValueStore;
  /** In Postgres, sealed. */
  readonly sealed: ValueStore;
  /** Null: this process knows none. */
  readonly named: NamedValueStore | null;
}
