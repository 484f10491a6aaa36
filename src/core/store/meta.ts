import type { Actor } from "../actor.ts";
import type { SeenBy, SetBack } from "../set-back.ts";

export interface StoreMeta {
  readonly storeId: string;
  readonly epoch: number;
  readonly keyCheck: string;
  readonly fingerprintKeySealed: string;
  /**
   * The key that everything is sealed under from now on, by public name. The store takes no text under another; of a key
   * with versions this one or a newer one.
   */
  readonly sealingKeyId: string;
  /** Of which root key a copy was seen that is kept elsewhere, and when; null: of none. */
  readonly recoveryCopy: { readonly keyId: string; readonly checkedAt: Date } | null;
}

export interface EpochEntry {
  readonly epoch: number;
  /** For agents: signed by the bundle key. */
  readonly signed: string;
  readonly reason: string;
  readonly actor: Actor;
}

export interface MetaRepo {
  /** The database's clock, which every process shares; ms since the epoch. It moves on within a transaction. */
  storeNow(): Promise<number>;
  /** Null only in an empty store. */
  read(): Promise<StoreMeta | null>;
  /** Refuses when the row exists: a root key is made only for an empty store. Seals under the key check's own key. */
  create(meta: Omit<StoreMeta, "epoch" | "recoveryCopy" | "sealingKeyId">): Promise<void>;
  /** True when any table that holds sealed data has rows: then a missing key must not be replaced by a new one. */
  holdsSealedData(): Promise<boolean>;
  /**
   * First step of a `rewrap`: from its commit on nobody seals under another key. Waits for those who are writing.
   * False when the store is not sealed under `from` any more.
   */
  switchSealingKey(to: string, from: string): Promise<boolean>;
  /** Waits for everybody who seals, and keeps them waiting until the transaction ends. */
  lock(): Promise<StoreMeta | null>;
  replaceFingerprintKey(sealed: string): Promise<void>;
  /** Last step of a `rewrap`: from then on the new root key alone opens the store. */
  replaceKeyCheck(sealed: string): Promise<void>;
  recordRecoveryCopy(keyId: string): Promise<void>;

  /** 1 in a store that was never restored. */
  epoch(): Promise<number>;
  /** Null: it was not set back, as far as anybody has seen. */
  setBack(): Promise<SetBack | null>;
  /** From now on nothing is moved. False when that was so before. */
  freeze(seen: { readonly targetId: string; readonly seen: string; readonly by: SeenBy }): Promise<boolean>;
  /** Throws STORE_SET_BACK. */
  assertMayMove(): Promise<void>;
  /** The present one, locked until the transaction ends. */
  lockEpoch(): Promise<number>;
  /** Things move again, under the entry's epoch. */
  beginEpoch(entry: EpochEntry): Promise<void>;
  /** Later ones than `after`, oldest first. */
  epochEntries(after: number): Promise<readonly (EpochEntry & { readonly begunAt: Date })[]>;
}
