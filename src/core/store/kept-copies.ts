/** What stands on hosts for restoring, until it may or must go. */
export interface CopyToDiscard {
  readonly targetId: string;
  /** Where they stand. */
  readonly destination: string;
  readonly placements: readonly string[];
  readonly attempts: number;
}

export interface KeptCopy {
  readonly targetId: string;
  readonly target: string;
  readonly environment: string;
  readonly file: string;
  readonly keptAt: Date;
  /** It must go; null: it may still be put back. */
  readonly owedAt: Date | null;
  /** Why it could not be removed, the last time that it was tried. */
  readonly error: string | null;
}

export interface KeptCopyRepo {
  /** Before the write that keeps them. One that was there is replaced by it. */
  keep(targetId: string, placements: readonly string[]): Promise<void>;
  /** Found on its host, of files that the target ever had a key in: a release before this one, or a lost store, left it. */
  found(targetId: string, placements: readonly string[]): Promise<void>;
  /** Files that a target has or had a key in. */
  placementsOf(targetId: string): Promise<readonly string[]>;
  /** Every copy of a file that a secret stands, or stood, in must go now. */
  oweOfSecret(secretId: string): Promise<void>;
  oweAt(targetId: string, placement: string): Promise<void>;
  /** A copy that must go is never put back. */
  isAnyOwed(targetId: string): Promise<boolean>;
  /**
   * What must go, and what nobody can put back any more: no restart is owed or under way at the target, and none was
   * blocked a moment ago. Of one target where it is named.
   */
  due(limit: number, targetId?: string): Promise<readonly CopyToDiscard[]>;
  /** Removed from the host. */
  discarded(targetId: string, placements: readonly string[]): Promise<void>;
  tryLater(
    targetId: string,
    placements: readonly string[],
    next: { readonly inMs: number; readonly error: string },
  ): Promise<void>;
  /** Of a secret's files; of all where none is named. */
  list(secretId?: string): Promise<readonly KeptCopy[]>;
}
