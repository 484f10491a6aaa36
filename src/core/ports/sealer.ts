import type { SecretValue } from "../secret-value.ts";

/**
 * Seals at rest. The associated data binds a sealed text to its row: a text that is moved to another row, or whose
 * row changes its address, fails to open with SEALED_UNREADABLE. It is never treated as missing.
 */
export interface Sealer {
  /** Root keys that this process opens with, by public name. The first is the one that `rewrap` moves the store to. */
  readonly keyIds: readonly string[];
  /**
   * Under the key that the store is sealed under now, which is the first or, until `rewrap` began, another.
   * Throws ROOT_KEY_CHANGED when this process does not have it.
   */
  seal(plain: string, associatedData: string): Promise<string>;
  open(sealed: string, associatedData: string): Promise<string>;
  /**
   * The same content wrapped under the first key; the data key and the content stay. Proves that it opens. What is
   * wrapped under that key already comes back as it is.
   */
  rewrap(sealed: string, associatedData: string): Promise<string>;
  /** Asks the store anew. Throws ROOT_KEY_CHANGED: whoever lacks the key works on nothing. */
  assertCurrent(): Promise<void>;
}

/** Compares values without keeping them: HMAC-SHA-256(HKDF(fingerprint key, secret id), value), base64url. */
export interface Fingerprinter {
  fingerprint(secretId: string, value: SecretValue): string;
}
