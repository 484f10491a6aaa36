/**
 * Wraps data keys. Implementations: a local root key, later Vault Transit. A value is sealed under a data key of its
 * own; only the data key passes through the ring.
 */
export interface KeyRing {
  /** The wrapping key that the store is to be sealed under; kept in every envelope, as the name of what wrapped it. */
  readonly keyId: string;
  /** All keys that unwrap, `keyId` first. The others were in use before it. */
  readonly keyIds: readonly string[];
  /** Under one of `keyIds`. Throws ROOT_KEY_WRONG for another. */
  wrap(dataKey: Uint8Array, keyId: string, associatedData: string): Promise<Uint8Array>;
  /** Throws ROOT_KEY_WRONG or SEALED_UNREADABLE; never answers a wrong key. */
  unwrap(wrapped: Uint8Array, keyId: string, associatedData: string): Promise<Uint8Array>;
}
