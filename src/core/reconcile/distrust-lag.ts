/**
 * Where looks may lag behind writes, a plan without a write can rest on what stood there long ago. Pure. Sent once more are,
 * because sending the same twice harms nobody:
 *
 *   an older version than was settled, found already there   going back: it stood there before
 *   a fallback that was not settled, found already there     it may be the one that was taken away
 *   what is to go, found gone                                it may be from before it came
 *
 * A version newer than all that was settled can be seen only after it was written.
 */
import { addressText, type DesiredSlot, type PlannedItem } from "./plan-change.ts";

/** `settledHere`: ids of bindings at which something was settled before. */
export function distrustLag(
  items: readonly PlannedItem[],
  desired: readonly DesiredSlot[],
  settledHere: ReadonlySet<string>,
): readonly PlannedItem[] {
  const slots = new Map(desired.map((slot) => [addressText(slot), slot]));
  return items.map((item) => {
    if (item.version === null)
      return item.action === "left" && item.found.kind === "absent" ? { ...item, action: "unset" } : item;
    const slot = slots.get(addressText(item));
    if (slot === undefined || item.action !== "unchanged" || item.found.kind !== "version") return item;
    const { settledVersion, version, value } = slot;
    const stoodBefore =
      settledVersion === null
        ? slot.slot === "fallback" && settledHere.has(slot.bindingId)
        : version < settledVersion;
    return stoodBefore ? { ...item, action: "set", value } : item;
  });
}
