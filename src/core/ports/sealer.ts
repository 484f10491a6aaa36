import type { SecretValue } from "../secret-value.ts";

/**
 * Seals at rest. The associated data binds a sealed text to its row: a text that is moved to another row, or whose
 * row changes its address, fails to open with SEALED_UNREADABLE. It is never treated as missing.
 */
export interface Sealer {
  seal(plain: string, associatedData: string): Promise<string>;
  open(sealed: string, associatedData: string): Promise<string>;
  /** The same content under a fresh wrapping; the data key and the content stay. */
  rewrap(sealed: string, associatedData: string): Promise<string>;
}

/** Compares values without keeping them: HMAC-SHA-256(HKDF(fingerprint key, secret id), value), base64url. */
export interface Fingerprinter {
  fingerprint(secretId: string, value: SecretValue): string;
}
