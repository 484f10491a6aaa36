/** How far a walk through the other value store has come, and since when it could not be asked. One row. */
export interface ValueWalk {
  /** Secrets after this id are next; empty: from the beginning. */
  readonly afterSecret: string;
  /** Values that this store never put, on this way so far. */
  readonly counted: number;
}

export interface ValueWalkRepo {
  /** Null: it is not due, or another process walks. Nobody else gets it for that long. */
  take(forMs: number): Promise<ValueWalk | null>;
  /** How far it came. `inMs`: when it goes on, or begins anew. */
  put(walk: ValueWalk, isEnd: boolean, inMs: number): Promise<void>;
  /** The other store was asked: null when it answered. The first reason stays as long as its code does. */
  recordAway(away: { readonly code: string; readonly reason: string } | null): Promise<void>;
  /** `strangers`: of the last whole way. */
  state(): Promise<{
    readonly strangers: number;
    readonly away: { readonly since: Date; readonly reason: string } | null;
  }>;
}
