export interface StoreMeta {
  readonly storeId: string;
  readonly epoch: number;
  readonly keyCheck: string;
  readonly fingerprintKeySealed: string;
  /** Of which root key a copy was seen that is kept elsewhere, and when; null: of none. */
  readonly recoveryCopy: { readonly keyId: string; readonly checkedAt: Date } | null;
}

export interface MetaRepo {
  /** Null only in an empty store. */
  read(): Promise<StoreMeta | null>;
  /** Refuses when the row exists: a root key is made only for an empty store. */
  create(meta: Omit<StoreMeta, "epoch" | "recoveryCopy">): Promise<void>;
  /** True when any table that holds sealed data has rows: then a missing key must not be replaced by a new one. */
  holdsSealedData(): Promise<boolean>;
  replaceFingerprintKey(sealed: string): Promise<void>;
  /** Last step of a `rewrap`: from then on the new root key alone opens the store. */
  replaceKeyCheck(sealed: string): Promise<void>;
  recordRecoveryCopy(keyId: string): Promise<void>;
}
