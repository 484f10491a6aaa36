/**
 * Wraps data keys: a root key in memory, or Vault's Transit. A value is sealed under a data key of its own; only the
 * data key passes through the ring.
 *
 * A ring that is kept elsewhere may be away: then every method but `holds` throws KEY_RING_UNAVAILABLE, or
 * KEY_RING_REFUSED where somebody must change something there. Neither says anything about what was to be opened.
 */
export interface KeyRing {
  /** For people, without anything secret: `local`, `vault-transit transit/lockstep`. */
  readonly name: string;
  /** Names the root key that a recovery copy can be made of; null: the root is kept elsewhere, and backed up there. */
  readonly rootKeyId: string | null;
  /** Whether a key of this public name is one of the ring's, in whatever version. Nobody is asked. */
  holds(keyId: string): boolean;
  /** The key that it wraps under now, in its newest version. */
  current(): Promise<string>;
  /** Answers as well what it was wrapped under: somebody may have rotated the key a moment ago. */
  wrap(dataKey: Uint8Array, associatedData: string): Promise<WrappedKey>;
  /** Throws ROOT_KEY_WRONG or SEALED_UNREADABLE; never answers a wrong key. */
  unwrap(wrapped: Uint8Array, keyId: string, associatedData: string): Promise<Uint8Array>;
  /** What its owner's settings mean for what is sealed. Opens nothing. */
  look(): Promise<KeyRingLook>;
}

export interface KeyRingLook {
  /** The oldest version that it opens; null: it has no versions, or they may not be asked for. */
  readonly oldestOpened: number | null;
  readonly risks: readonly KeyRisk[];
}

/** By which the key may be lost, or leave the place where it is kept. */
export type KeyRisk = "deletion-allowed" | "exportable" | "plaintext-backup";

export interface WrappedKey {
  readonly keyId: string;
  readonly wrapped: Uint8Array;
}
