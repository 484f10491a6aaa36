/**
 * Moves the values of all versions to the store that this server is set to use, some at a time:
 *
 *   read ▸ compare with its fingerprint ▸ put ▸ the rows name the new place, by comparison, in one transaction with the
 *   record and with what has to go ▸ the old ones go
 *
 * May be interrupted anywhere and repeated, by two at once too: a row is moved by whoever compares first, and what the
 * other has put goes again.
 */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { StoredValue, ValueTrouble } from "../../core/ports/value-store.ts";
import type { VersionName } from "../../core/secret.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { PlacedVersion } from "../../core/store/value-places.ts";
import { storeNameOf } from "../../core/stored-value.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../base/context.ts";
import { fulfilValue, giveUpValue, nameOf, oweRemoval, putValue, removeOwed } from "./put-value.ts";
import { readValue } from "./read-value.ts";

const PART = 50;
const MAX_AT_ONCE = 4;

export interface MovedValues {
  readonly to: "postgres" | "vault";
  readonly moved: number;
  /** Stay where they are, because they could not be read there as they were put. */
  readonly unreadable: readonly UnreadableValue[];
  /** Where the next part goes on; null: this was the last. */
  readonly next: VersionName | null;
  /** Values that are kept elsewhere now. */
  readonly left: number;
}

export interface UnreadableValue extends VersionName {
  readonly secret: string;
  readonly environment: string;
  readonly code: string;
  /** Null: the row itself cannot be opened. */
  readonly trouble: ValueTrouble | null;
}

interface Ready {
  readonly from: PlacedVersion;
  readonly to: StoredValue;
}

/** One part, after the version given. Throws STORE_SET_BACK, VALUE_STORE_UNAVAILABLE, VALUE_STORE_REFUSED: what was moved before stays moved. */
export async function moveValues(
  context: AppContext,
  actor: Actor,
  after: VersionName | null = null,
): Promise<MovedValues> {
  const { wanted } = context.values;
  const kind = wanted.name === "postgres" ? "named" : "sealed";
  const { read } = context.store;
  await read.meta.assertMayMove();
  const part = await read.valuePlaces.page(kind, after, PART);
  const unreadable: UnreadableValue[] = [];
  const ready: Ready[] = [];
  let moved: readonly Ready[] = [];
  const thrown: unknown[] = [];
  try {
    await mapLimited(part, MAX_AT_ONCE, async (from) => {
      if (thrown.length > 0) return;
      try {
        const plain = await readValue(context, from).catch((error) => unreadableOf(context, from, error));
        if (typeof plain === "string") ready.push({ from, to: await putValue(context, wanted, from, plain) });
        else unreadable.push(plain);
      } catch (error) {
        thrown.push(error);
      }
    });
    if (thrown.length > 0) throw thrown[0];
    moved = await context.store.transaction((tx) => switchRows(context, tx, actor, ready));
    await context.checkpoint("values-moved");
  } finally {
    // Whether a row names it is the store's word: a commit whose answer was lost may have been done.
    const unused = ready.filter((one) => !moved.includes(one));
    for (const { from, to } of unused) await giveUpValue(context, from, to);
  }
  for (const { from } of moved)
    if (from.stored.kind === "named") await removeOwed(context, nameOf(from, from.stored));
  const last = part.at(-1);
  return {
    to: wanted.name,
    moved: moved.length,
    unreadable,
    next:
      part.length < PART || last === undefined ? null : { secretId: last.secretId, version: last.version },
    left: await read.valuePlaces.count(kind),
  };
}

/** Those that were still where they were read. */
async function switchRows(
  context: AppContext,
  tx: Repositories,
  actor: Actor,
  ready: readonly Ready[],
): Promise<readonly Ready[]> {
  const moved: Ready[] = [];
  // In the order of the rows, so that two at once wait for each other instead of both being stopped.
  const inOrder = ready.toSorted(
    ({ from: left }, { from: right }) =>
      left.secretId.localeCompare(right.secretId) || left.version - right.version,
  );
  for (const one of inOrder) {
    if (!(await tx.valuePlaces.move(one.from, one.from.stored, one.to))) continue;
    await fulfilValue(tx, one.from, one.to);
    await oweRemoval(context, tx, one.from, one.from.stored);
    moved.push(one);
  }
  const [first] = moved;
  if (first === undefined) return moved;
  await tx.audit.append({
    action: "store.values_moved",
    actor,
    subject: { kind: "store", id: context.storeId, name: "store" },
    details: {
      from: storeNameOf(first.from.stored),
      to: storeNameOf(first.to),
      values: moved.length,
    },
  });
  return moved;
}

/** One that is damaged must not keep the others. */
async function unreadableOf(
  context: AppContext,
  { secretId, version }: PlacedVersion,
  error: unknown,
): Promise<UnreadableValue> {
  if (!(error instanceof LockstepError) || error.family !== "integrity") throw error;
  const secret = await context.store.read.secrets.findById(secretId);
  return {
    secretId,
    version,
    secret: secret?.name ?? secretId,
    environment: secret?.environment ?? "",
    code: error.code,
    trouble: (error.details["trouble"] as ValueTrouble | undefined) ?? null,
  };
}
