/** The map at a path: which mark it carries, what stands under a key, and what it becomes by a change. Pure. */
import { LockstepError } from "../../../../core/errors.ts";
import { formatOrder, type Order, parseOrder } from "../../../../core/order.ts";
import type { Observed } from "../../../../core/ports/place.ts";
import type { Change } from "../../../../core/ports/target.ts";
import { SecretValue } from "../../../../core/secret-value.ts";
import { boundedLine } from "../../../../lib/visible-text.ts";
import type { KvRead } from "../../../vault/kv.ts";
import { MAX_KEYS, REVISION_KEY } from "./values.ts";

export type Data = Readonly<Record<string, unknown>>;

const NOTHING: Data = {};

export function dataOf(read: KvRead): Data {
  return read.state === "present" ? read.data : NOTHING;
}

/** For check-and-set. 0: no version was ever written, or none is known any more. */
export function versionOf(read: KvRead): number {
  return read.state === "absent" ? 0 : read.version;
}

export function orderIn(data: Data): Order | null {
  const mark = Object.hasOwn(data, REVISION_KEY) ? data[REVISION_KEY] : null;
  return typeof mark === "string" ? parseOrder(mark) : null;
}

export function look(data: Data, key: string): Observed {
  if (!Object.hasOwn(data, key)) return { state: "absent" };
  const value = data[key];
  if (typeof value === "string") return { state: "present", value: SecretValue.of(value) };
  return { state: "unrecognised", nearly: `it is ${kindOf(value)} in the map there, and no text` };
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return typeof value === "object" ? "a map" : `a ${typeof value}`;
}

/**
 * What stands there afterwards; null: it stands there already. What the change does not name stays as it is. `mark`: null
 * where none is left; one that stands there then stays.
 */
export function changed(data: Data, { set, unset }: Change, mark: Order | null): Data | null {
  const next = new Map(Object.entries(data));
  for (const { key } of unset) next.delete(key);
  for (const { key, value } of set) next.set(key, value.reveal());
  const isSame =
    next.size === Object.keys(data).length && set.every(({ key }) => data[key] === next.get(key));
  if (isSame && (set.length === 0 || mark === null || data[REVISION_KEY] === formatOrder(mark))) return null;
  if (mark !== null) next.set(REVISION_KEY, formatOrder(mark));
  // With the last of ours the mark goes too: nothing is left that it could be about.
  if (next.size === 1 && next.has(REVISION_KEY)) next.delete(REVISION_KEY);
  return Object.fromEntries(next);
}

/** Throws for a map that could not be written back as it stands, or that servers do not take. */
export function assertWritable(read: KvRead, next: Data, target: string): void {
  const [inexact] = read.state === "present" ? read.inexactKeys : [];
  if (inexact !== undefined) throw inexactNumber(inexact, target);
  const before = Object.keys(dataOf(read)).length;
  const after = Object.keys(next).length;
  if (after <= MAX_KEYS || after <= before) return;
  throw new LockstepError(
    "VALUE_INVALID",
    `Cannot write to target "${target}": the map there would hold ${after} keys, and ${MAX_KEYS} are what every server takes.`,
    { hint: "Spread the keys over several paths, each a target of its own." },
  );
}

/** Vault itself rounds such a number when it reads the map, and so does whoever writes it back. */
export function inexactNumber(key: string, target: string): LockstepError {
  return new LockstepError(
    "VALUE_INVALID",
    `Cannot write to target "${target}": the key ${keyName(key)} there holds a number that would be rounded when the map is written back.`,
    {
      hint: "Whoever owns that key should store the number as text; or give Lockstep's keys a path of their own.",
      details: { key: key.length > MAX_NAME_CHARS ? boundedLine(key, MAX_NAME_CHARS) : key },
    },
  );
}

const MAX_NAME_CHARS = 200;

/** Somebody else's, of any length and of any characters. */
export function keyName(key: string): string {
  return boundedLine(JSON.stringify(key.slice(0, MAX_NAME_CHARS + 1)), MAX_NAME_CHARS);
}
