/** Whether what stands at a place is still what was settled there. Pure. */
import type { ObservedKey } from "../../core/ports/place.ts";
import { addressText, type Found, identify, type SameValue } from "../../core/reconcile/plan-change.ts";
import type { KnownBinding } from "../desired/known-values.ts";

export interface ReadBack {
  /** Null when it is, or where it cannot be read: not knowing is no contradiction. */
  readonly wrong: string | null;
  /** Every slot was read and is right. */
  readonly readBack: boolean;
}

export function judgeStored(
  { binding, versions }: KnownBinding,
  observed: readonly ObservedKey[],
  same: SameValue,
): ReadBack {
  const { placement, key, fallbackKey, settled } = binding;
  let readBack = true;
  for (const [slot, name] of [
    ["primary", key],
    ["fallback", fallbackKey],
  ] as const) {
    const wanted = settled[slot];
    if (wanted === undefined) continue;
    const address = addressText({ placement, key: name });
    const found = identify(
      observed.find((entry) => addressText(entry) === address),
      versions,
      same,
    );
    if (found.kind === "unreadable") {
      readBack = false;
      continue;
    }
    if (found.kind === "version" && found.version === wanted) continue;
    return { wrong: `${name} holds ${foundInWords(found)} there, not v${wanted}`, readBack: false };
  }
  return { wrong: null, readBack };
}

/** What stands or runs somewhere, for people: `v4`, nothing, another value. */
export function foundInWords(
  found:
    | { readonly kind: "version"; readonly version: number }
    | { readonly kind: Exclude<Found["kind"], "version"> },
): string {
  if (found.kind === "version") return `v${found.version}`;
  return found.kind === "absent" ? "nothing" : "another value";
}
