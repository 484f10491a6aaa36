/**
 * The rollout engine: (state, members, clock) → actions with reasons. Pure; the caller applies the actions in one
 * transaction and asks again until nothing more follows.
 *
 * `overlap`, the strategy for verifiers that accept two values:
 *
 *             accept ────────▶ switch ────────▶ settle ───────────────▶ retire ─────────▶ done
 *             verifiers        callers          nobody uses the         verifiers
 *             take both        send the new     old one any more        take the new alone
 *
 *   old  ═════ current ═══════╗ retiring ══════════════════════════════════════════════╗ retired (undo: kept)
 *   new       staged          ╚═ current ═══════════════════════════════════════════════════════════════════
 *
 *   accepted  old ┆ old, new    old, new         old, new                ┆ new
 *   sent      old               old ┆ new        new                     new
 *
 * What callers may send lies within what verifiers accept in every column, also while single places are late: the next
 * phase begins only when each member has shown what this one is for, and was looked at once more just before where the
 * next phase takes something away (`recheck`). `swap` and `issued` leave phases out or turn them round (strategy.ts),
 * `replace` moves everything at once:
 *
 *   prepare ──▶ commit ─────────────────────────▶ done
 *               every place gets the new value     every required place proved it; the old version retires
 *
 * States: running, stalled (a required place cannot go on without a person, or is late, or a verifier is not any more
 * what it was; it goes on by itself as soon as it can), done; abandoned when it was superseded or rolled back. Ignored in
 * done and abandoned: everything.
 */
import type { Evidence } from "../evidence.ts";
import { whyNotMet, whyRegressed, whyStuck } from "./gates.ts";
import { type Member, sends, verifies, wantedOf } from "./member.ts";
import { type Settling, settling } from "./settle.ts";
import type { RolloutView } from "./slots.ts";
import { isTurningPoint, type Phase, phaseAfter } from "./strategy.ts";

export interface RolloutState extends RolloutView {
  readonly state: "running" | "stalled";
  readonly reason: string | null;
  readonly phaseStartedAtMs: number;
  /** Since when all gates are met, and looks count as the last before the next phase. */
  readonly recheckFromMs: number | null;
  /** Finish without waiting for anybody to stay silent. */
  readonly urgent: boolean;
  readonly waits: Waits;
}

/** All in ms. */
export interface Waits {
  /** How long after the last known caller left the old version stays accepted, where nobody counts its uses. */
  readonly settleForMs: number;
  /** How long nobody may have used the old version, where verifiers count. */
  readonly quietForMs: number;
  /** How long optional members hold the retirement. */
  readonly optionalForMs: number;
  /** A phase that takes longer is told to a person. */
  readonly lateAfterMs: number;
  /** How often a member is looked at that does not show what it should. */
  readonly relookMs: number;
  /** How often verifiers are watched while callers move, and while the old version settles. */
  readonly watchMs: number;
  readonly settleWatchMs: number;
}

export type Action =
  | { readonly kind: "enter"; readonly phase: Phase; readonly promotes: boolean }
  | { readonly kind: "meet-gate"; readonly bindingId: string; readonly evidence: Evidence }
  | { readonly kind: "look"; readonly bindingIds: readonly string[] }
  | { readonly kind: "recheck"; readonly from: "now" | null }
  | { readonly kind: "hold" | "release" }
  | { readonly kind: "stall"; readonly reason: string }
  | { readonly kind: "unstall" }
  | { readonly kind: "finish" };

export interface Waiting {
  readonly bindingId: string;
  readonly target: string;
  readonly key: string;
  readonly reason: string;
  /** False: optional there, so the phase ends without it. */
  readonly holds: boolean;
}

export interface Decision {
  readonly actions: readonly Action[];
  readonly waitingFor: readonly Waiting[];
  /** In settle: by which grade, and until when. */
  readonly settling: Settling | null;
  /** When time alone may change the decision. */
  readonly againInMs: number | null;
}

export function decide(rollout: RolloutState, members: readonly Member[], nowMs: number): Decision {
  if (rollout.phase === "prepare") return only([{ kind: "enter", phase: "commit", promotes: true }]);
  const asked = members.filter(({ forced }) => !forced);
  const waitingFor = asked.flatMap((member) => waitingOf(rollout, member, nowMs));
  const late = new Set(waitingFor.map(({ bindingId }) => bindingId));
  const met = asked
    .filter(({ bindingId }) => !late.has(bindingId))
    .map(
      (member): Action => ({
        kind: "meet-gate",
        bindingId: member.bindingId,
        evidence: member.evidence ?? "stored",
      }),
    );
  const holding = waitingFor.filter(({ holds }) => holds);
  const trouble = troubleOf(rollout, asked, holding, nowMs);
  const looks = looksOf(rollout, asked, late, nowMs);
  const held = holdActions(rollout, trouble.regressed);
  if (holding.length > 0 || trouble.regressed) {
    const recheckOff: Action[] = rollout.recheckFromMs === null ? [] : [{ kind: "recheck", from: null }];
    return {
      actions: [...met, ...held, ...recheckOff, ...stallActions(rollout, trouble.reason), ...looks],
      waitingFor,
      settling: rollout.phase === "settle" ? settling(rollout, asked, nowMs) : null,
      againInMs: null,
    };
  }
  const passed = [...met, ...held, ...stallActions(rollout, null)];
  return pass(rollout, asked, { passed, looks, waitingFor }, nowMs);
}

interface Passing {
  readonly passed: readonly Action[];
  readonly looks: readonly Action[];
  readonly waitingFor: readonly Waiting[];
}

/** Every gate is met: what else the phase waits for, and then the next one. */
function pass(
  rollout: RolloutState,
  members: readonly Member[],
  { passed, looks, waitingFor }: Passing,
  nowMs: number,
): Decision {
  const until = rollout.phase === "settle" ? settling(rollout, members, nowMs) : null;
  if (until !== null && until.leftMs > 0) {
    return { actions: [...passed, ...looks], waitingFor, settling: until, againInMs: until.leftMs };
  }
  const next = phaseAfter(rollout.strategy, rollout.phase);
  if (next === null) return { ...only([...passed, { kind: "finish" }]), waitingFor };
  const unseen = lookedAgainBefore(next, members).filter(
    ({ observedAtMs }) => rollout.recheckFromMs === null || (observedAtMs ?? 0) < rollout.recheckFromMs,
  );
  if (rollout.recheckFromMs === null || unseen.length > 0) {
    const recheck: Action[] = rollout.recheckFromMs === null ? [{ kind: "recheck", from: "now" }] : [];
    if (unseen.length > 0) {
      const look: Action = { kind: "look", bindingIds: unseen.map(({ bindingId }) => bindingId) };
      const again = unseen.map((member) => ({
        ...placeOf(member),
        reason: `looked at once more before ${next}`,
        holds: true,
      }));
      return {
        actions: [...passed, ...recheck, look],
        waitingFor: [...waitingFor, ...again],
        settling: until,
        againInMs: rollout.waits.relookMs,
      };
    }
  }
  const enter: Action = { kind: "enter", phase: next, promotes: isTurningPoint(rollout.strategy, next) };
  return { ...only([...passed, enter]), waitingFor };
}

/** Who is looked at again before something is taken away: verifiers before callers move, everybody before retirement. */
function lookedAgainBefore(next: Phase, members: readonly Member[]): readonly Member[] {
  const required = members.filter(({ optional }) => !optional);
  if (next === "retire") return required;
  if (next === "switch") return required.filter(verifies);
  return next === "swap" ? required.filter(sends) : [];
}

function waitingOf(rollout: RolloutState, member: Member, nowMs: number): readonly Waiting[] {
  const reason = whyNotMet(member, rollout);
  return reason === null ? [] : [{ ...placeOf(member), reason, holds: holdsUp(rollout, member, nowMs) }];
}

/** A laptop does not hold the switch, only the retirement, and that not for ever. */
function holdsUp(rollout: RolloutState, member: Member, nowMs: number): boolean {
  if (!member.optional) return true;
  return rollout.phase === "settle" && nowMs - rollout.phaseStartedAtMs < rollout.waits.optionalForMs;
}

interface Trouble {
  readonly regressed: boolean;
  readonly reason: string | null;
}

function troubleOf(
  rollout: RolloutState,
  members: readonly Member[],
  holding: readonly Waiting[],
  nowMs: number,
): Trouble {
  const isMoving = rollout.phase === "switch" || rollout.phase === "settle";
  const regressed = isMoving
    ? members
        .filter(({ optional }) => !optional)
        .flatMap((member) => told(member, whyRegressed(member, rollout)))
    : [];
  if (regressed.length > 0) return { regressed: true, reason: `callers wait: ${regressed.join("; ")}` };
  const waits = new Map(holding.map((waiting) => [waiting.bindingId, waiting]));
  const stuck = members
    .filter(({ bindingId, optional }) => !optional && waits.has(bindingId))
    .flatMap((member) => told(member, whyStuck(member, rollout)));
  if (stuck.length > 0) return { regressed: false, reason: stuck.join("; ") };
  const isLate = rollout.phase !== "settle" && nowMs - rollout.phaseStartedAtMs > rollout.waits.lateAfterMs;
  if (!isLate || holding.length === 0) return { regressed: false, reason: null };
  return {
    regressed: false,
    reason: `${rollout.phase} takes long: ${holding.map((one) => `${one.target} (${one.key}): ${one.reason}`).join("; ")}`,
  };
}

function told({ target, key }: Member, reason: string | null): readonly string[] {
  return reason === null ? [] : [`${target} (${key}): ${reason}`];
}

function stallActions(rollout: RolloutState, reason: string | null): readonly Action[] {
  if (reason === null) return rollout.state === "stalled" ? [{ kind: "unstall" }] : [];
  return rollout.state === "stalled" && rollout.reason === reason ? [] : [{ kind: "stall", reason }];
}

function holdActions(rollout: RolloutState, regressed: boolean): readonly Action[] {
  if (regressed === rollout.held) return [];
  return [{ kind: regressed ? "hold" : "release" }];
}

/** Who must be looked at now: those who do not show what they should, and verifiers while others rely on them. */
function looksOf(
  rollout: RolloutState,
  members: readonly Member[],
  late: ReadonlySet<string>,
  nowMs: number,
): readonly Action[] {
  const { relookMs, watchMs, settleWatchMs } = rollout.waits;
  const due = members.filter((member) => {
    const ageMs = member.observedAtMs === null ? Number.POSITIVE_INFINITY : nowMs - member.observedAtMs;
    if (late.has(member.bindingId)) {
      if (!isSettled(member, rollout) || member.activating) return false;
      return (member.observedAtMs ?? 0) < member.changedAtMs || ageMs >= relookMs;
    }
    if (!verifies(member)) return false;
    if (rollout.phase === "switch") return ageMs >= watchMs;
    return rollout.phase === "settle" && ageMs >= settleWatchMs;
  });
  return due.length === 0 ? [] : [{ kind: "look", bindingIds: due.map(({ bindingId }) => bindingId) }];
}

function isSettled(member: Member, rollout: RolloutState): boolean {
  const { primary, fallback } = wantedOf(member, rollout);
  return (member.settled.primary ?? null) === primary && (member.settled.fallback ?? null) === fallback;
}

function placeOf({ bindingId, target, key }: Member): Pick<Waiting, "bindingId" | "target" | "key"> {
  return { bindingId, target, key };
}

function only(actions: readonly Action[]): Decision {
  return { actions, waitingFor: [], settling: null, againInMs: null };
}
