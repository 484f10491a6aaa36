/** Digests over which version stands in which slot. No value goes in: versions are numbers. */
import { createHash } from "node:crypto";
import type { DesiredSlot } from "../../core/reconcile/plan-change.ts";

export function slotsDigest(
  slots: readonly Pick<DesiredSlot, "placement" | "key" | "slot" | "secretId" | "version">[],
): string {
  const lines = slots.map((slot) =>
    [slot.placement, slot.key, slot.slot, slot.secretId, slot.version].join("\u0000"),
  );
  return createHash("sha256").update(lines.sort().join("\n")).digest("hex");
}
