/** One binding as doctor reasons from it. Pure. */
import type { BindingFacts, TargetError } from "../../core/doctor/facts.ts";
import { slotsOf } from "../../core/rollout/slots.ts";
import type { BindingRow } from "../../core/store/views.ts";
import { bindingStatus, freshFinding } from "./binding-status.ts";

/** `failure`: why its target could not be observed just now; null: it was, or nobody asked. */
export function bindingFacts(
  row: BindingRow,
  targetEnvironment: string,
  failure: TargetError | null,
): BindingFacts {
  const status = bindingStatus(row);
  const settled = row.settled.primary ?? null;
  const wanted = slotsOf(row, row.currentVersion, row.rollout);
  const { found } = freshFinding(row, settled);
  return {
    target: row.target,
    targetEnvironment,
    placement: row.placement,
    key: row.key,
    role: row.role,
    wanted: wanted.primary,
    settled,
    settledAt: row.settledAt,
    // What was in order when it was seen last may not be now.
    state: failure !== null && status.state === "in-sync" ? "unreadable" : status.state,
    version: status.version,
    fallback: row.settled.fallback ?? null,
    found,
    foundReason: found === row.found ? row.foundReason : null,
    observedAt: row.observedAt,
    evidence: status.evidence,
    oldUse: oldUseOf(row),
    copies: row.copies,
    lacking: row.lacking,
    unit: status.state === "owed" && settled === wanted.primary ? unitFacts(row) : null,
  };
}

function oldUseOf({ usedBy, rollout }: BindingRow): BindingFacts["oldUse"] {
  const use = usedBy?.[String(rollout?.fromVersion ?? "")];
  return use === undefined ? null : { at: new Date(use.at), callers: use.callers };
}

/** The first unit that has not started with what is stored. */
function unitFacts({ activations }: BindingRow): BindingFacts["unit"] {
  for (const { unit, state, errorMessage } of activations) {
    if (state === "owed") return { name: unit, state: "waiting", error: null };
    if (state === "requested") return { name: unit, state: "restarting", error: null };
    if (state === "blocked" || state === "failed")
      return { name: unit, state: "blocked", error: errorMessage };
  }
  return null;
}
