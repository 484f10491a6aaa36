/** Whether what stands at a place is still what was settled there. Pure. */
import type { ObservedKey } from "../../core/ports/target.ts";
import { addressText, identify, type SameValue } from "../../core/reconcile/plan-change.ts";
import type { KnownBinding } from "../loop/known-bindings.ts";

/** Null when it is, or where it cannot be read: not knowing is no contradiction. */
export function whyStoredWrong(
  { binding, versions }: KnownBinding,
  observed: readonly ObservedKey[],
  same: SameValue,
): string | null {
  const { placement, key, fallbackKey, settled } = binding;
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
    if (found.kind === "unreadable") continue;
    if (found.kind === "version" && found.version === wanted) continue;
    const there =
      found.kind === "version" ? `v${found.version}` : found.kind === "absent" ? "nothing" : "another value";
    return `${name} holds ${there} there, not v${wanted}`;
  }
  return null;
}
