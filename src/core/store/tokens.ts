export interface TokenRecord {
  readonly id: string;
  readonly name: string;
  readonly scopes: readonly string[];
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly lastUsedAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface TokenRepo {
  add(token: {
    readonly id: string;
    readonly name: string;
    readonly secretHash: string;
    readonly scopes: readonly string[];
    readonly createdBy: string;
    readonly expiresAt?: Date;
  }): Promise<void>;
  /** Also revoked and expired ones: the caller decides, in constant time over the hash. */
  find(id: string): Promise<(TokenRecord & { readonly secretHash: string }) | null>;
  list(): Promise<readonly TokenRecord[]>;
  /** False when there is no live token of this id. */
  revoke(id: string): Promise<boolean>;
  /** Writes at most once a minute per token. */
  touch(id: string): Promise<void>;
}
