/**
 * Deletes history that is older than it is to be kept. In parts, each a short transaction, and never more in one round
 * than a small store writes off without noticing: a store that grew for years shrinks over hours, and nobody waits.
 */
import type { AppContext } from "../base/context.ts";

const ROWS_PER_STEP = 500;
const STEPS_PER_ROUND = 20;
const WALK_EVERY_MS = 60 * 60_000;

export async function deleteExpired(context: AppContext, signal: AbortSignal): Promise<void> {
  const { store, retention } = context;
  // A store that was set back only looks: what it holds is what a person judges by.
  if ((await store.read.meta.setBack()) !== null) return;
  await store.transaction((tx) => tx.retention.sampleSize());
  let deleted = 0;
  for (let steps = 0; steps < STEPS_PER_ROUND && !signal.aborted; steps += 1) {
    const step = await store.transaction((tx) =>
      tx.retention.step({ retention, limit: ROWS_PER_STEP, againInMs: WALK_EVERY_MS }),
    );
    if (step === null) break;
    deleted += step.deleted;
  }
  if (deleted > 0) context.log.info("history deleted", { rows: deleted });
}
