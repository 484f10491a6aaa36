import type { LockstepError } from "../errors.ts";
import type { SecretValue } from "../secret-value.ts";
import type { KeyRingLook } from "./key-ring.ts";

/**
 * Seals at rest. The associated data binds a sealed text to its row: a text that is moved to another row, or whose
 * row changes its address, fails to open with SEALED_UNREADABLE. It is never treated as missing.
 *
 * The keys are in rings. The first ring is the one that `rewrap` moves the store to; the others only open what was
 * sealed before. While a ring is away, whatever needs it throws KEY_RING_UNAVAILABLE or KEY_RING_REFUSED.
 */
export interface Sealer {
  /** Whether one of the rings has the key of this public name. Nobody is asked. */
  opens(keyId: string): boolean;
  /** Whether the first ring has it. */
  isWanted(keyId: string): boolean;
  /** The key that `rewrap` moves the store to: the first ring's, in its newest version. */
  wantedKeyId(): Promise<string>;
  /** The ring that has this key, for people, with the version: `vault-transit transit/lockstep v3`; null: none of ours. */
  ringName(keyId: string): string | null;
  /**
   * Under the key that the store is sealed under now, which is the first ring's or, until `rewrap` began, another's.
   * Throws ROOT_KEY_CHANGED when this process does not have it.
   */
  seal(plain: string, associatedData: string): Promise<string>;
  open(sealed: string, associatedData: string): Promise<string>;
  /**
   * The same content wrapped by the first ring; the data key and the content stay. Proves that it opens. What is
   * wrapped under `lowest`, or under a newer version of that key, comes back as it is.
   */
  rewrap(sealed: string, associatedData: string, lowest: string): Promise<string>;
  /** Asks the store anew. Throws ROOT_KEY_CHANGED: whoever lacks the key works on nothing. */
  assertCurrent(): Promise<void>;
  /**
   * Before work that needs the ring of the store's key: while it is known to be away, nothing is begun that would only
   * fail half-way. Asks nobody while it answers. Throws KEY_RING_UNAVAILABLE, KEY_RING_REFUSED.
   */
  assertRingThere(): Promise<void>;
  /** Asks each ring that is kept elsewhere. Never throws. */
  lookAtRings(): Promise<readonly RingStanding[]>;
}

/** `since`: as far as this process has seen. */
export interface RingAway {
  readonly since: Date;
  readonly error: LockstepError;
}

/** Of a ring that is kept elsewhere. */
export interface RingStanding {
  readonly name: string;
  holds(keyId: string): boolean;
  /** Null: it answers. */
  readonly away: RingAway | null;
  /** Null: it did not say. */
  readonly look: KeyRingLook | null;
}

/** Compares values without keeping them: HMAC-SHA-256(HKDF(fingerprint key, secret id), value), base64url. */
export interface Fingerprinter {
  fingerprint(secretId: string, value: SecretValue): string;
}
