/** What was found at keys, as it is put on record. */
import { type Found, type PlannedItem, STAGED_REASON } from "../../core/reconcile/plan-change.ts";
import type { NewObservation } from "../../core/store/pushes.ts";

/** `pushId`: of the push that found them; null: nobody wrote. */
export function observationsOf(
  seen: readonly PlannedItem[],
  pushId: string | null,
): readonly NewObservation[] {
  return seen.map((item) => ({
    bindingId: item.bindingId,
    slot: item.slot,
    pushId,
    found: item.found.kind === "reference" ? "unknown" : item.found.kind,
    version: item.found.kind === "version" ? item.found.version : null,
    reason: reasonOf(item.found),
  }));
}

function reasonOf(found: Found): string | null {
  if ("reason" in found) return found.reason;
  if (found.kind === "version") return found.staged ? STAGED_REASON : null;
  return found.kind === "unknown" ? (found.nearly ?? null) : null;
}
