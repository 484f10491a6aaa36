/**
 * Wraps data keys. Implementations: a local root key, later Vault Transit. A value is sealed under a data key of its
 * own; only the data key passes through the ring.
 */
export interface KeyRing {
  /** Names the wrapping key, kept in every envelope, so that `rewrap` finds what still uses an older one. */
  readonly keyId: string;
  wrap(dataKey: Uint8Array, associatedData: string): Promise<Uint8Array>;
  /** Throws ROOT_KEY_WRONG or SEALED_UNREADABLE; never answers a wrong key. */
  unwrap(wrapped: Uint8Array, keyId: string, associatedData: string): Promise<Uint8Array>;
}
