/**
 * What a worker does again and again beside the queue, each round for itself: what is slow in one, a place that does not
 * answer or a channel that hangs, keeps no push waiting and no other round.
 */
import { deliverDue } from "../alerts/deliver.ts";
import { watchFindings } from "../alerts/watch-findings.ts";
import type { AppContext } from "../base/context.ts";
import { checkDue } from "../drift/check-scheduled.ts";
import { discardDueCopies } from "../push/discard-copies.ts";
import { deleteExpired } from "../retention/delete-expired.ts";
import { sweepValues } from "../values/sweep-values.ts";

export interface Round {
  /** In the log. */
  readonly name: string;
  /** From the end of one to the beginning of the next. */
  readonly everyMs: number;
  /** It opens or seals values: without the key ring it waits. */
  readonly needsRing: boolean;
  /** It rests that many times as long as it took, where that is more than `everyMs`. */
  readonly restFactor?: number;
  run(context: AppContext, signal: AbortSignal): Promise<unknown>;
}

/** `watch` and `deliver` together are how long after being seen something is told: below five seconds. */
export const ROUNDS: readonly Round[] = [
  { name: "check", everyMs: 2_000, needsRing: true, run: checkDue },
  // With thousands of places it takes its time: a tenth of everybody's.
  { name: "watch", everyMs: 2_000, needsRing: false, restFactor: 9, run: watchFindings },
  // Copies that nobody needs any more.
  { name: "discard", everyMs: 5_000, needsRing: true, run: discardDueCopies },
  // Values that are kept elsewhere: what must go from there, and how those in use are.
  { name: "values", everyMs: 10_000, needsRing: false, run: sweepValues },
  { name: "retention", everyMs: 60_000, needsRing: false, run: deleteExpired },
  { name: "deliver", everyMs: 1_000, needsRing: false, run: deliverAll },
];

async function deliverAll(context: AppContext, signal: AbortSignal): Promise<void> {
  while ((await deliverDue(context, signal)) > 0 && !signal.aborted);
}
