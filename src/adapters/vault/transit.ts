/** Transit over a logged-in line, in batches within the server's limits. */
import type { VaultFailure } from "./failure.ts";
import type { Vault } from "./vault.ts";

export interface TransitKeyName {
  readonly mount: string;
  readonly key: string;
}

export interface TransitKey {
  readonly type: string;
  readonly derived: boolean;
  readonly latestVersion: number;
  readonly minDecryptionVersion: number;
  readonly minEncryptionVersion: number;
  readonly deletionAllowed: boolean;
  readonly exportable: boolean;
  readonly allowPlaintextBackup: boolean;
}

export type BatchResult<T> = { readonly ok: T } | { readonly failure: VaultFailure };

export interface Transit {
  /** `vault:v<n>:…`, one for each plaintext, in order. Never makes a key. Throws VaultFailure when the whole call failed. */
  encrypt(plaintexts: readonly Uint8Array[], signal: AbortSignal): Promise<readonly BatchResult<string>[]>;
  decrypt(ciphertexts: readonly string[], signal: AbortSignal): Promise<readonly BatchResult<Uint8Array>[]>;
  /** Throws `permission` without the right to read it, `key` when there is none. */
  readKey(signal: AbortSignal): Promise<TransitKey>;
}

export type CreateTransit = (vault: Vault, name: TransitKeyName) => Transit;
