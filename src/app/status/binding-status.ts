/** One binding in words: which version is known to stand there, in which state, and why. */

import { winnerOf } from "../../core/copies/winner.ts";
import { copyText, holdsText } from "../../core/copies/words.ts";
import { bindingState } from "../../core/drift/state.ts";
import { slotsOf } from "../../core/rollout/slots.ts";
import type { BindingRow } from "../../core/store/views.ts";
import type { BoundStatus } from "../../protocol/api-parts.ts";

export function bindingStatus(row: BindingRow): BoundStatus {
  const { state, version, reason } = judge(row);
  const stuck =
    state === "owed" &&
    (row.targetGaveUp || row.targetErrorCode === "STEP_OPEN" || row.activations.some(needsPerson));
  return {
    target: row.target,
    key: row.key,
    role: row.role,
    version,
    fallback: row.settled.fallback ?? null,
    state,
    evidence: row.settled.primary == null ? null : row.evidence,
    observedAt: row.observedAt?.toISOString() ?? null,
    placement: row.placement,
    reason,
    ...acceptsOf(row),
    ...(stuck ? { stuck } : {}),
  };
}

/** Newest version first; left out where nobody was asked. */
function acceptsOf({ acceptance }: BindingRow): Pick<BoundStatus, "accepts"> {
  const accepts = Object.entries(acceptance)
    .map(([version, { verdict, at = null }]) => ({ version: Number(version), verdict, at }))
    .sort((left, right) => right.version - left.version);
  return accepts.length === 0 ? {} : { accepts };
}

function needsPerson({ state }: BindingRow["activations"][number]): boolean {
  return state === "blocked" || state === "failed";
}

type Judgement = Pick<BoundStatus, "state" | "version" | "reason">;

function judge(row: BindingRow): Judgement {
  const settled = row.settled.primary ?? null;
  if (row.leftover) return { state: "leftover", version: settled, reason: "to be deleted there" };
  const { primary: wantedVersion, fallback } = slotsOf(row, row.currentVersion, row.rollout);
  if (wantedVersion === null) return withoutValue(row);
  const found = freshFinding(row, settled);
  const state = bindingState({ wantedVersion, settledVersion: settled, ...found });
  const version = versionThere(found, settled);
  const unseen = state === "unreadable" ? toldUnseen(row, wantedVersion) : null;
  if (unseen !== null) return { ...unseen, version };
  if (state === "in-sync" && (row.settled.fallback ?? null) !== fallback)
    return { state: "owed", version, reason: whyFallback(row, fallback) };
  if (state === "in-sync") {
    const pending = pendingActivation(row);
    // A restart that failed says more than that its process is behind.
    return { ...(pending.state === "owed" ? pending : (behind(row) ?? shadowed(row) ?? pending)), version };
  }
  return { state, version, reason: whyNot(row, state, wantedVersion, version) };
}

/** Nothing is owed, yet calling it in sync would hide that nothing of ours stands there. */
function withoutValue(row: BindingRow): Judgement {
  const reason = "the secret has no value yet";
  if (row.found === "unknown")
    return { state: "foreign", version: null, reason: `${reason}; one stands there` };
  if (row.found === "unreadable") return { state: "unreadable", version: null, reason };
  return { state: "missing", version: null, reason };
}

export interface SeenThere {
  readonly found: BindingRow["found"];
  readonly foundVersion: number | null;
}

/** What was seen before the last write tells nothing about now: then what was settled counts. */
export function freshFinding(row: BindingRow, settled: number | null): SeenThere {
  const outdated = row.observedAt !== null && row.settledAt !== null && row.observedAt < row.settledAt;
  if (outdated && settled !== null) return { found: "version", foundVersion: settled };
  return { found: row.found, foundVersion: row.foundVersion };
}

function versionThere({ found, foundVersion }: SeenThere, settled: number | null): number | null {
  if (found === "version") return foundVersion;
  return found === "unknown" || found === "absent" ? null : settled;
}

/** What nobody may read, the service itself may know: it accepts what should stand there, or refuses it. */
function toldUnseen(row: BindingRow, wanted: number): Pick<Judgement, "state" | "reason"> | null {
  const verdict = row.acceptance[String(wanted)]?.verdict;
  if (verdict === "accepted") return { state: "in-sync", reason: null };
  return verdict === "refused" ? behind(row) : null;
}

/** What stands there is right, and a process runs with something else: it did not restart, or somebody rolled it back. */
function behind({ lacking }: BindingRow): Pick<Judgement, "state" | "reason"> | null {
  return lacking === null ? null : { state: "stale", reason: lacking };
}

/** What stands there is right, and the process is given another copy. */
function shadowed({ copies }: BindingRow): Pick<Judgement, "state" | "reason"> | null {
  const winner = winnerOf(copies);
  return winner === null
    ? null
    : { state: "shadowed", reason: `${copyText(winner)} wins over it, and holds ${holdsText(winner)}` };
}

/** Stored but not yet used: a unit still has to restart, or failed to. */
function pendingActivation(row: BindingRow): Pick<Judgement, "state" | "reason"> {
  if (row.evidence !== "acknowledged" && row.evidence !== "stored") return { state: "in-sync", reason: null };
  for (const { unit, state, errorMessage } of row.activations) {
    if (state === "owed") return { state: "owed", reason: `stored; ${unit} is about to restart` };
    if (state === "requested") return { state: "owed", reason: `stored; ${unit} is restarting` };
    if (needsPerson({ unit, state, errorMessage })) {
      return { state: "owed", reason: `stored; ${unit} did not restart: ${errorMessage ?? state}` };
    }
  }
  return { state: "in-sync", reason: null };
}

function whyFallback(row: BindingRow, fallback: number | null): string {
  const why = whyOwed(row);
  if (why !== null) return why;
  return fallback === null
    ? `v${row.settled.fallback} beside it is to go`
    : `v${fallback} is on its way beside it`;
}

function whyOwed({ targetErrorCode, targetErrorMessage, targetGaveUp }: BindingRow): string | null {
  if (targetErrorMessage === null) return null;
  if (targetErrorCode === "STEP_OPEN") return targetErrorMessage;
  return `${targetGaveUp ? "given up" : "trying again"}: ${targetErrorMessage}`;
}

function whyNot(
  row: BindingRow,
  state: BoundStatus["state"],
  wanted: number | null,
  version: number | null,
): string {
  const should = wanted === null ? "" : `, should hold v${wanted}`;
  switch (state) {
    case "owed":
      return (
        whyOwed(row) ??
        (version === null ? `v${wanted} is on its way` : `v${version} → v${wanted} is on its way`)
      );
    case "stale":
      return `holds v${version}${should}`;
    case "foreign":
      return (
        row.targetErrorMessage ??
        (row.foundReason === null
          ? `holds a value that Lockstep does not know${should}`
          : `${row.foundReason}${should}`)
      );
    case "missing":
      return `holds nothing${should}`;
    default:
      return row.foundReason ?? (row.found === null ? "never looked at" : "could not be read");
  }
}
