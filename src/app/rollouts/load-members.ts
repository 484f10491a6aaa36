/** A rollout and its members as the engine knows them, from what is stored. */
import { type LadderEvidence, weaker } from "../../core/evidence.ts";
import { invariant } from "../../core/invariant.ts";
import type { JsonObject } from "../../core/json.ts";
import type { RolloutState } from "../../core/rollout/engine.ts";
import type { Member } from "../../core/rollout/member.ts";
import type { RolloutView } from "../../core/rollout/slots.ts";
import type { RolloutMemberRow, RolloutRecord } from "../../core/store/rollouts.ts";
import type { AppContext } from "../base/context.ts";
import { kindOf } from "../targets/open-target.ts";

/** A member and where it is. */
export interface LocatedMember extends Member {
  readonly targetId: string;
  readonly targetKind: string;
}

export function viewOf(rollout: RolloutRecord): RolloutView {
  const { strategy, phase, fromVersion, toVersion, held } = rollout;
  return { strategy, phase, fromVersion, toVersion, held };
}

export function stateOf(context: AppContext, rollout: RolloutRecord): RolloutState {
  const { state, reason, phaseStartedAtMs, freshFromMs, urgent } = rollout;
  invariant(state === "running" || state === "stalled", "only open rollouts are decided");
  const { settleForMs, quietForMs, optionalForMs } = rollout.options;
  const { lateAfterMs, relookMs, watchMs, settleWatchMs } = context.timing;
  const waits = { settleForMs, quietForMs, optionalForMs, lateAfterMs, relookMs, watchMs, settleWatchMs };
  return { ...viewOf(rollout), state, reason, phaseStartedAtMs, recheckFromMs: freshFromMs, urgent, waits };
}

export function memberOf(context: AppContext, row: RolloutMemberRow, rollout: RolloutRecord): LocatedMember {
  const { options } = row;
  const activations = row.activations.map(({ state }) => state);
  const isDormant = activations.length > 0 && activations.every((state) => state === "dormant");
  const used = row.used === null || rollout.fromVersion === null ? undefined : row.used[rollout.fromVersion];
  return {
    bindingId: row.bindingId,
    target: row.target,
    targetId: row.targetId,
    targetKind: row.targetKind,
    key: row.key,
    role: row.role,
    optional: row.optional,
    required: row.required ?? requiredOf(context, row, rollout),
    settled: row.settled,
    evidence: row.evidence,
    changedAtMs: row.changedAtMs,
    observedAtMs: row.observedAtMs,
    observedReason: row.observedReason,
    lacks: row.lacks,
    activating: row.owed || activations.some((state) => state === "owed" || state === "requested"),
    acceptanceBy: row.role === "caller" ? null : options.acceptanceBy,
    acceptance: new Map(
      Object.entries(row.acceptance).map(([version, seen]) => [Number(version), seen] as const),
    ),
    counterProbed: options.counterProbed,
    // Whoever confirms a step says that the place uses it.
    useAttested: options.useAttested || kindOf(context, row.targetKind).delivery === "manual",
    triesBoth: options.triesBoth,
    silentForMs: options.silentForMs,
    ...(row.used === null ? {} : { oldUsedAtMs: used === undefined ? null : Date.parse(used) }),
    takenBy: takenBy(row.lives),
    stuck: stuckOf(row, rollout),
    waitsItsTurn: row.aside !== null && row.aside.reason === null,
    restsAtStored: isDormant || (rollout.strategy === "replace" && row.adopted),
    forced: rollout.options.forced[row.bindingId] !== undefined,
  };
}

/**
 * The best that its target can give, never below `deployed` unless it cannot even give that. Whether processes can be
 * looked into is known by the first look: rights that were never there ask for less, rights lost later do not.
 */
function requiredOf(
  context: AppContext,
  row: RolloutMemberRow,
  { strategy }: RolloutRecord,
): LadderEvidence | null {
  const { maxEvidence } = kindOf(context, row.targetKind).capabilities(row.targetConfig);
  if (strategy === "replace") return weaker(maxEvidence, "deployed");
  if (maxEvidence === "acknowledged" || maxEvidence === "stored" || maxEvidence === "deployed")
    return "deployed";
  if (row.lives === null || row.settled.primary === undefined) return null;
  // A look at the life before says what can be seen, whatever it held.
  return canSee(row.lives) ? "running" : "deployed";
}

function takenBy(lives: JsonObject | null): readonly string[] {
  const names = lives?.["takenBy"];
  return Array.isArray(names) ? names.filter((name) => typeof name === "string") : [];
}

function canSee({ state, lives }: JsonObject): boolean {
  if (state !== "lives" || !Array.isArray(lives)) return state === "changing";
  return lives.every((life) => {
    const primary: unknown = (life as JsonObject)["primary"];
    return typeof primary !== "string" || !primary.startsWith("unreadable");
  });
}

function stuckOf(row: RolloutMemberRow, { toVersion }: RolloutRecord): string | null {
  if (row.aside !== null) return row.aside.reason;
  const isStored = row.settled.primary === toVersion && !row.owed;
  if (row.gaveUp && !isStored) return row.errorMessage ?? "given up";
  const blocked = row.activations.find(({ state }) => state === "blocked");
  return blocked === undefined ? null : (blocked.errorMessage ?? `${blocked.unit} is blocked`);
}
