/**
 * Walks through everything that this store has in the other value store, some secrets at a time, and finds values that
 * no row and no intent names. A list that is empty, or that could not be had, means nothing.
 */

import type { NamedValueStore, ValueName } from "../../core/ports/value-store.ts";
import type { AppContext } from "../base/context.ts";
import { removeOwed } from "./put-value.ts";

const MAX_SECRETS = 50;
/** Of one secret, at one walk: the next one finds the others. */
const MAX_ASKED = 100;
/** By the other store's clock. A write lands within minutes, and a list may be a little old. */
const ORPHAN_AFTER_MS = 60 * 60_000;
const WALK_WITHIN_MS = 10 * 60_000;
const NEXT_PART_MS = 10_000;
const NEXT_WALK_MS = 6 * 60 * 60_000;
const AFTER_FAILURE_MS = 60_000;

/** False: it is not due. */
export async function walkValues(
  context: AppContext,
  named: NamedValueStore,
  signal: AbortSignal,
): Promise<boolean> {
  const walk = await context.store.transaction((tx) => tx.valueWalk.take(WALK_WITHIN_MS));
  if (walk === null) return false;
  try {
    const left = (await named.secrets()).filter((id) => id > walk.afterSecret);
    const part = left.slice(0, MAX_SECRETS);
    let { counted } = walk;
    for (const secretId of part) {
      if (signal.aborted) break;
      counted += await judge(context, named, secretId);
    }
    const isEnd = left.length <= part.length;
    const afterSecret = part.at(-1) ?? walk.afterSecret;
    await context.store.transaction((tx) =>
      tx.valueWalk.put({ afterSecret, counted }, isEnd, isEnd ? NEXT_WALK_MS : NEXT_PART_MS),
    );
    return true;
  } catch (error) {
    await context.store.transaction((tx) => tx.valueWalk.put(walk, false, AFTER_FAILURE_MS));
    throw error;
  }
}

/** Answers how many strangers there are. What stands there is asked before what is known of it, which may be newer. */
async function judge(context: AppContext, named: NamedValueStore, secretId: string): Promise<number> {
  const there = await named.values(secretId);
  const { read } = context.store;
  // Intents before rows: one that became a row meanwhile is found there.
  const intents = await read.valueIntents.namesOf(secretId);
  const rows = await read.valuePlaces.namesOf(secretId);
  const unnamed = there.filter(({ name }) => !intents.has(name) && !rows.names.has(name));
  let strangers = 0;
  for (const value of unnamed.slice(0, MAX_ASKED)) {
    const ageMs = await named.ageMs(value);
    if (ageMs === null || ageMs < ORPHAN_AFTER_MS) continue;
    if (value.version > rows.highest) strangers += 1;
    else await letGo(context, value);
  }
  return strangers;
}

/** Written down before it goes, as everything else that goes. */
async function letGo(context: AppContext, value: ValueName): Promise<void> {
  await context.store.transaction(async (tx) => {
    await tx.meta.assertMayMove();
    await tx.valueIntents.oweRemoval(value, context.processId);
  });
  await removeOwed(context, value);
}
