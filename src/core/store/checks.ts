import type { CopiesSeen } from "../ports/copies.ts";
import type { Exposure } from "../ports/target.ts";

/** When places are looked at although nothing is owed there, and what came of it. */
export interface LowBudget {
  /** Of whose credential: `railway`. */
  readonly kind: string;
  readonly remaining: number;
  readonly limit: number;
  readonly endsInMs: number;
}

/** What `target test` found to be wrong. */
export interface TestFailure {
  readonly name: string;
  readonly message: string;
}

export interface CheckRepo {
  /** Targets whose time has come, where nothing is owed and something is bound. */
  due(limit: number): Promise<readonly string[]>;
  /** For how long the one that waits longest has been due, in ms; 0: none is. */
  lateMs(): Promise<number>;
  /** The next one is due that much later. `earlyMs`: also one that is due by then. Null: somebody else was faster, or it is not due any more. */
  claim(
    targetId: string,
    everyMs: number,
    earlyMs?: number,
  ): Promise<{ readonly failedBefore: boolean } | null>;
  /** `laterMs`: not before that, where the place said so. */
  record(
    targetId: string,
    outcome: {
      readonly error: { readonly code: string; readonly message: string } | null;
      readonly laterMs: number;
    },
  ): Promise<void>;
  /** What the last look found outside the kept places. */
  recordCopies(targetId: string, seen: CopiesSeen): Promise<void>;
  /**
   * True: its turn has come to be tested, and nobody else does. Spread over a sixth of the time. One that is new has
   * `settlesMs` until the first; one that was configured anew is due at once.
   */
  claimTest(
    targetId: string,
    pace: { readonly everyMs: number; readonly settlesMs: number },
  ): Promise<boolean>;
  /** `exposures`: null leaves what was seen before. */
  recordTest(
    targetId: string,
    failures: readonly TestFailure[],
    exposures: readonly Exposure[] | null,
  ): Promise<void>;
  /** Nothing was learned: the next one is due later. */
  postpone(targetId: string, byMs: number): Promise<void>;
  /** Live targets of that kind where nothing is owed and something is bound. */
  listOf(kind: string): Promise<readonly string[]>;
  /** Live bindings there whose drift is to be healed. */
  healing(targetId: string): Promise<ReadonlySet<string>>;
  /** How often drift was healed lately by whoever `actorId` is, by target; those without are left out. */
  healsWithin(actorId: string, withinMs: number): Promise<ReadonlyMap<string, number>>;
  /** What this hour's requests leave, of quotas that are nearly used up: less than `share` of them. */
  lowBudgets(share: number): Promise<readonly LowBudget[]>;
  /** Of these or all, the targets that could not be looked at the last time. */
  failures(
    targetIds?: readonly string[],
  ): Promise<readonly { readonly targetId: string; readonly code: string; readonly message: string }[]>;
  /** Takes its turn for this transaction; false: another process has it. */
  takeTurn(name: "judge" | "watch"): Promise<boolean>;
}
