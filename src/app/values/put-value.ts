/**
 * Puts values where they are kept, and removes them from there. What is about to stand in another store than Postgres is
 * written down first, and so is what has to go from there: a process may die anywhere, and the sweep ends its work.
 */
import { isValueStoreAway, LockstepError, toLockstepError } from "../../core/errors.ts";
import type { NamedValueStore, StoredValue, ValueName, ValueStore } from "../../core/ports/value-store.ts";
import type { VersionName } from "../../core/secret.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { DueValue } from "../../core/store/value-intents.ts";
import type { AppContext } from "../base/context.ts";

/** For one removal, with the other store slow. */
export const REMOVE_WITHIN_MS = 5 * 60_000;
const FIRST_PAUSE_MS = 30_000;
const MAX_PAUSE_MS = 30 * 60_000;

/** Outside of every transaction. What it put is forgotten, and removed later, unless a row names it within the hour. */
export async function putValue(
  context: AppContext,
  store: ValueStore,
  { secretId, version }: VersionName,
  plain: string,
): Promise<StoredValue> {
  const name = store.nameFor(version);
  if (name !== null) {
    await context.store.transaction((tx) =>
      tx.valueIntents.begin({ secretId, version, name }, context.processId),
    );
    await context.checkpoint("value-intent");
  }
  const stored = await store.put({ secretId, version }, name, plain);
  await context.checkpoint("value-put");
  return stored;
}

/** In the transaction whose row says where the value is. */
export async function fulfilValue(tx: Repositories, of: VersionName, stored: StoredValue): Promise<void> {
  if (stored.kind !== "named" || (await tx.valueIntents.fulfil(nameOf(of, stored)))) return;
  throw new LockstepError(
    "STORE_TIMEOUT",
    "A value was put too long ago to be used, and nothing was written.",
    {
      hint: "Try again.",
    },
  );
}

/** In the transaction after which no row says where the value is. Nothing of it may be used again. */
export async function oweRemoval(
  context: AppContext,
  tx: Repositories,
  of: VersionName,
  stored: StoredValue,
): Promise<void> {
  if (stored.kind === "named") await tx.valueIntents.oweRemoval(nameOf(of, stored), context.processId);
}

/** No row will name it. Where the store cannot say so now, the sweep does later. */
export async function giveUpValue(context: AppContext, of: VersionName, stored: StoredValue): Promise<void> {
  if (stored.kind !== "named") return;
  const value = nameOf(of, stored);
  try {
    if (await context.store.transaction((tx) => tx.valueIntents.giveUp(value)))
      await removeOwed(context, value);
  } catch (error) {
    context.log.debug("a value that was put stays for the sweep", { code: toLockstepError(error).code });
  }
}

/** Removes now what is owed to go, if nobody else does. What cannot be removed yet stays owed. */
export async function removeOwed(context: AppContext, value: ValueName): Promise<void> {
  const { named } = context.values;
  if (named === null) return;
  const due = await context.store.transaction((tx) => tx.valueIntents.takeOne(value, REMOVE_WITHIN_MS));
  if (due !== null) await remove(context, named, due);
}

/** Throws nothing of the other store's. */
export async function remove(
  context: AppContext,
  named: NamedValueStore,
  value: DueValue,
): Promise<"removed" | LockstepError> {
  await context.checkpoint("value-removal");
  try {
    await named.remove(value);
  } catch (thrown) {
    const error = toLockstepError(thrown);
    const inMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(value.attempts, 10));
    await context.store.transaction((tx) => tx.valueIntents.tryLater(value, inMs, error.code));
    return error;
  }
  await context.checkpoint("value-removed");
  await context.store.transaction((tx) => tx.valueIntents.removed(value));
  return "removed";
}

export function nameOf(
  { secretId, version }: VersionName,
  { name }: Extract<StoredValue, { kind: "named" }>,
): ValueName {
  return { secretId, version, name };
}

/** What cannot be asked for twice is kept in Postgres, sealed, while the wanted store does not take it. */
export async function putSomewhere(
  context: AppContext,
  of: VersionName,
  plain: string,
): Promise<StoredValue> {
  const { wanted, sealed } = context.values;
  try {
    return await putValue(context, wanted, of, plain);
  } catch (thrown) {
    if (wanted === sealed || !isValueStoreAway(toLockstepError(thrown))) throw thrown;
    context.log.warn("a value is kept in Postgres for now", { code: toLockstepError(thrown).code });
    return putValue(context, sealed, of, plain);
  }
}
