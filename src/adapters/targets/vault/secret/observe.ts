/** Looks at a path: what stands under the asked keys, and the mark. By schedule it asks first whether anything changed. */
import { LockstepError } from "../../../../core/errors.ts";
import type { Order } from "../../../../core/order.ts";
import type { Address, ObservedKey } from "../../../../core/ports/place.ts";
import type { TargetObservation } from "../../../../core/ports/target.ts";
import type { SharedReads } from "../../../../core/ports/target-context.ts";
import type { KvRead } from "../../../vault/kv.ts";
import { type Data, dataOf, inexactNumber, look, orderIn } from "./map.ts";
import type { Place } from "./place.ts";
import type { LastLook } from "./seen-places.ts";
import { REVISION_KEY } from "./values.ts";

export interface Looking {
  readonly purpose: "push" | "background";
  readonly sharedReads: SharedReads | undefined;
}

/** What a look showed, for the write that follows it. */
export interface Shown {
  readonly order: Order | null;
}

export async function observe(
  place: Place,
  addresses: readonly Address[],
  { purpose, sharedReads }: Looking,
  signal: AbortSignal,
): Promise<TargetObservation & { readonly shown: Shown }> {
  const keys = addresses.map(({ key }) => key);
  const of = `${place.line.id} ${place.id}`;
  const once = <T>(what: string, work: (all: AbortSignal) => Promise<T>): Promise<T> =>
    sharedReads?.once(`${what} ${of}`, work) ?? work(signal);
  const known = purpose === "background" ? await unchanged(place, of, keys, once) : null;
  if (known !== null) return observationOf(place, addresses, known, known.inexactKeys);
  const read = await once("data", (all) => place.read(all));
  if (read.state === "present") remember(place, of, keys, read);
  const inexact = read.state === "present" ? read.inexactKeys : [];
  return observationOf(place, addresses, { data: dataOf(read), why: whyNothing(read) }, inexact);
}

type Once = <T>(what: string, work: (all: AbortSignal) => Promise<T>) => Promise<T>;

/** The same version as at the last look. Null: it must be read. */
async function unchanged(
  place: Place,
  of: string,
  keys: readonly string[],
  once: Once,
): Promise<LastLook | null> {
  if (!place.seen.isLookedAt(of)) return null;
  try {
    const metadata = await once("metadata", (all) => place.metadata(all));
    return metadata === null ? null : place.seen.lookAt(of, keys, metadata);
  } catch (error) {
    if (!(error instanceof LockstepError) || error.code !== "TARGET_PERMISSION") throw error;
    place.seen.noteBlind(of);
    return null;
  }
}

function remember(
  place: Place,
  of: string,
  keys: readonly string[],
  { version, createdTime, data, inexactKeys }: Extract<KvRead, { readonly state: "present" }>,
): void {
  const kept = [...keys, REVISION_KEY].filter((key) => Object.hasOwn(data, key));
  place.seen.noteLook(of, {
    version,
    createdTime,
    keys: new Set(keys),
    data: Object.fromEntries(kept.map((key) => [key, data[key]])),
    inexactKeys,
  });
}

/** Null: a version stands there. */
function whyNothing(read: KvRead): string | null {
  switch (read.state) {
    case "deleted":
      return `version ${read.version} of the path was deleted, and can be brought back there (vault kv undelete)`;
    case "destroyed":
      return `version ${read.version} of the path was destroyed`;
    default:
      return null;
  }
}

function observationOf(
  { target }: Pick<Place, "target">,
  addresses: readonly Address[],
  { data, why = null }: { readonly data: Data; readonly why?: string | null },
  [inexact]: readonly string[],
): TargetObservation & { readonly shown: Shown } {
  const obstacle = inexact === undefined ? {} : { obstacle: inexactNumber(inexact, target) };
  const order = orderIn(data);
  return {
    keys: addresses.map((address): ObservedKey => {
      const observed = look(data, address.key);
      const told = observed.state === "absent" && why !== null ? { ...observed, why } : observed;
      return { ...address, observed: told, ...obstacle };
    }),
    orders: order === null ? [] : [order],
    units: [],
    shown: { order },
  };
}
