import type { HistoryKind, Retention } from "../retention.ts";

/** What one step of a walk through old rows came to. */
export interface RetentionStep {
  readonly kind: HistoryKind;
  readonly deleted: number;
}

export interface TableSize {
  readonly table: string;
  /** As Postgres last estimated them. */
  readonly rows: number;
  /** With indexes and long values. */
  readonly bytes: number;
}

export interface SizeSample {
  /** At 00:00 UTC of its day, in ms since the epoch. */
  readonly atMs: number;
  readonly bytes: number;
}

export interface RetentionRepo {
  /**
   * In a transaction: looks at the next part of the walk that is due longest, and deletes of it what is too old and no
   * more needed. A walk that came to its end begins anew after `againInMs`. Null: no walk is due, or others have them.
   */
  step(options: {
    readonly retention: Retention;
    /** Rows that are looked at. */
    readonly limit: number;
    readonly againInMs: number;
  }): Promise<RetentionStep | null>;
  /** Of Lockstep's own tables, the largest first. */
  tableSizes(): Promise<readonly TableSize[]>;
  /** Once a day; a second time of the same day changes nothing. */
  sampleSize(): Promise<void>;
  /** The newest samples, oldest first. */
  sizeSamples(days: number): Promise<readonly SizeSample[]>;
}
