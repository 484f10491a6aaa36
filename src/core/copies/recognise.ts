/** Which version of which kept place a value is. Pure, and the same where versions are known by a code alone. */
import type { CopyInterest, KeptPlace } from "../ports/copies.ts";
import type { DesiredSlot, SameValue } from "../reconcile/plan-change.ts";
import type { SecretValue } from "../secret-value.ts";

/** A shorter value stands in many files by chance. */
const MIN_TELLING_LENGTH = 8;

export function copyInterest<Known = SecretValue>(
  slots: readonly DesiredSlot<Known>[],
  same: SameValue<Known>,
): CopyInterest {
  const kept = slots.map((slot) => {
    const { bindingId, slot: name, placement, key } = slot;
    const place: KeptPlace = { bindingId, slot: name, placement, key };
    const versions: readonly (readonly [number, SecretValue | Known])[] = [
      [slot.version, slot.value],
      ...slot.others,
    ];
    return { place, versions };
  });
  return {
    places: kept.map(({ place }) => place),
    recognise(value) {
      if (value.reveal().length < MIN_TELLING_LENGTH) return null;
      for (const { place, versions } of kept) {
        const version = versions.find(([, known]) => same(known, value))?.[0];
        if (version !== undefined) return { place, version };
      }
      return null;
    },
  };
}
