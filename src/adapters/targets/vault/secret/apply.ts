/**
 * Writes a change: reads the map, compares the mark in it, and puts the whole map back by check-and-set. What the change
 * does not name goes back as it came.
 *
 * Order (law 3): mark and keys are one map, so that the check-and-set covers both; an older write fails by the mark, or by
 * the version that it was planned on. Without a mark only what came in between is noticed.
 *
 * A write without an answer may still land while nothing else is written, also after what it replaces is wanted again. So
 * the map is put back as it was: that either takes the version away from under it, or finds that it has landed.
 */
import { LockstepError } from "../../../../core/errors.ts";
import { compareOrder, formatOrder, type Order } from "../../../../core/order.ts";
import type { ApplyResult, Change } from "../../../../core/ports/target.ts";
import { pause } from "../../../../lib/pause.ts";
import { assertWritable, changed, dataOf, orderIn, versionOf } from "./map.ts";
import type { Shown } from "./observe.ts";
import type { Place } from "./place.ts";
import { assertKey, assertValue, REVISION_KEY } from "./values.ts";

export interface Applying {
  readonly order: Order;
  readonly revisionMarker: boolean;
  /** What the last look showed; null: nobody looked. */
  readonly shown: Shown | null;
}

/** Of others, or of a node that lags and names an older version. */
const CONFLICT_PAUSES_MS = [10, 40, 160, 640] as const;

export async function apply(
  place: Place,
  change: Change,
  { order, revisionMarker, shown }: Applying,
  signal: AbortSignal,
): Promise<ApplyResult> {
  for (const { key, value } of change.set) {
    assertKey(key);
    assertValue(key, value.reveal());
  }
  for (const { key } of change.unset) assertKey(key);
  if (change.set.length + change.unset.length === 0) return { outcome: "unchanged" };
  let planned = shown;
  for (const pauseMs of [...CONFLICT_PAUSES_MS, null]) {
    const read = await place.read(signal);
    const data = dataOf(read);
    const mark = orderIn(data);
    planned ??= { order: mark };
    assertOrder(place, order, mark);
    assertJudged(place, order, planned.order, mark);
    const next = changed(data, change, revisionMarker ? order : null);
    if (next === null) return { outcome: "unchanged" };
    assertWritable(read, next, place.target);
    try {
      await place.write(next, versionOf(read), signal);
    } catch (error) {
      const code = error instanceof LockstepError ? error.code : null;
      // Where nothing stood, nothing is made only for that.
      if (code === "TARGET_OUTCOME_UNKNOWN" && read.state === "present")
        await place.write(data, read.version, signal).catch(() => undefined);
      if (code !== "WRITE_CONFLICT" || pauseMs === null) throw error;
      await pause(pauseMs, signal);
      continue;
    }
    await place.label(signal);
    return { outcome: "changed" };
  }
  throw new LockstepError("INTERNAL", "Each try to write to Vault ends by itself.");
}

function assertOrder({ target, config }: Place, order: Order, mark: Order | null): void {
  if (mark === null) return;
  const refuse = (why: string, hint?: string): LockstepError =>
    new LockstepError("ORDER_REFUSED", `Cannot write to target "${target}": ${why}.`, {
      ...(hint === undefined ? {} : { hint }),
    });
  switch (compareOrder(order, mark)) {
    case "newer":
    case "same":
      return;
    case "older":
      throw refuse("it carries a newer write");
    case "disputed":
      throw refuse("it carries another write of the same number");
    case "foreign-store":
      throw refuse(
        "it carries the mark of another Lockstep store",
        `If this store shall take the place over, remove the key ${REVISION_KEY} at ${config.mount}/${config.path}, and repeat \`lockstep apply --take-over\`.`,
      );
  }
}

/** A mark that nobody has judged yet: what was planned before it came may be older than what it stands for. */
function assertJudged({ target }: Place, order: Order, planned: Order | null, mark: Order | null): void {
  if (mark !== null && compareOrder(order, mark) === "same") return;
  const text = (of: Order | null) => (of === null ? null : formatOrder(of));
  if (text(planned) === text(mark)) return;
  throw new LockstepError(
    "ORDER_REFUSED",
    `Cannot write to target "${target}": another write came to it after it was looked at.`,
  );
}
