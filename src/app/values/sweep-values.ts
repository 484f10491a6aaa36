/**
 * The other value store, level by level: what has to go from there goes, what was put and forgotten goes too, and the
 * values that are in use are looked at, without reading them. Bounded work each time; several processes share it by rows.
 *
 * Nothing goes because it is not in a list: a store that was set back, or a copy of it, would take newer values for
 * forgotten ones. A value without a row goes only where this store has given its number to another value since; anything
 * else is a stranger, and doctor tells of it.
 */
import { isValueStoreAway, type LockstepError, toLockstepError } from "../../core/errors.ts";
import type { NamedValueStore } from "../../core/ports/value-store.ts";
import type { NamedVersion } from "../../core/store/value-places.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../base/context.ts";
import { REMOVE_WITHIN_MS, remove } from "./put-value.ts";
import { walkValues } from "./walk-values.ts";

const MAX_AT_ONCE = 4;
const MAX_REMOVED = 50;
const MAX_LOOKS = 100;
const LOOK_EVERY_MS = 60 * 60_000;

export async function sweepValues(context: AppContext, signal: AbortSignal): Promise<void> {
  const { named } = context.values;
  if (named === null) return;
  try {
    const asked = await lookAtUsed(context, named, signal);
    // A store that was set back only looks.
    const mayRemove = (await context.store.read.meta.setBack()) === null;
    const removed = mayRemove ? await removeDue(context, named, signal) : 0;
    const walked = mayRemove && (await walkValues(context, named, signal));
    if (asked + removed > 0 || walked) await tell(context, null);
  } catch (thrown) {
    const error = toLockstepError(thrown);
    if (!isValueStoreAway(error)) throw error;
    await tell(context, error);
  }
}

async function tell(context: AppContext, error: LockstepError | null): Promise<void> {
  await context.store.transaction((tx) =>
    tx.valueWalk.recordAway(error === null ? null : { code: error.code, reason: error.message }),
  );
}

async function removeDue(context: AppContext, named: NamedValueStore, signal: AbortSignal): Promise<number> {
  const due = await context.store.transaction((tx) => tx.valueIntents.takeDue(MAX_REMOVED, REMOVE_WITHIN_MS));
  let away: LockstepError | null = null;
  await mapLimited(due, MAX_AT_ONCE, async (value) => {
    // What is left is taken again when its time is over.
    if (away !== null || signal.aborted) return;
    const outcome = await remove(context, named, value);
    if (outcome !== "removed" && isValueStoreAway(outcome)) away = outcome;
  });
  if (away !== null) throw away;
  return due.length;
}

/** The trouble of each is kept with its version, until it is looked at again. */
async function lookAtUsed(context: AppContext, named: NamedValueStore, signal: AbortSignal): Promise<number> {
  const due = await context.store.transaction((tx) => tx.valuePlaces.takeUnlooked(LOOK_EVERY_MS, MAX_LOOKS));
  const unseen: NamedVersion[] = [];
  let away: unknown = null;
  await mapLimited(due, MAX_AT_ONCE, async (value) => {
    try {
      if (away !== null || signal.aborted) throw away;
      const trouble = await named.look(value, value.createdTime);
      await context.store.transaction((tx) => tx.valuePlaces.recordLook(value, trouble));
    } catch (error) {
      away ??= error;
      unseen.push(value);
    }
  });
  if (unseen.length > 0) await context.store.transaction((tx) => tx.valuePlaces.lookAgain(unseen));
  if (away !== null) throw away;
  return due.length;
}
