import type { ValueName } from "../ports/value-store.ts";

export interface DueValue extends ValueName {
  readonly attempts: number;
}

/**
 * What is to stand in the other value store and is in no row yet, and what has to go from there. Written down before the
 * other store is asked.
 */
export interface ValueIntentRepo {
  /** It is about to be put. Nobody takes it for forgotten within the next hour. */
  begin(value: ValueName, process: string): Promise<void>;
  /** In the transaction whose row names it. False: it was taken for forgotten meanwhile, and goes or is gone. */
  fulfil(value: ValueName): Promise<boolean>;
  /** It was put, and no row will name it. False when one does, or it is gone. */
  giveUp(value: ValueName): Promise<boolean>;
  /** In the transaction after which no row names it. */
  oweRemoval(value: ValueName, process: string): Promise<void>;
  /**
   * What has to go, and what was begun long ago and forgotten, which has to go from now on. Nobody else gets it for
   * that long. A value that a row names is never among them.
   */
  takeDue(limit: number, forMs: number): Promise<readonly DueValue[]>;
  /** The same for one value. */
  takeOne(value: ValueName, forMs: number): Promise<DueValue | null>;
  /** It is gone from there. */
  removed(value: ValueName): Promise<void>;
  tryLater(value: ValueName, inMs: number, errorCode: string): Promise<void>;
  /** Names of a secret's values that are put or removed now. */
  namesOf(secretId: string): Promise<ReadonlySet<string>>;
  /** What has to go and could not be removed when that was tried last. */
  owed(): Promise<{ readonly count: number; readonly errorCode: string | null }>;
}
