/**
 * Changes that failed together. A unit restarts once for all that its targets owe; when it does not start, nobody knows
 * whose change it was. So one rollout's change is tried at a time, and the others are set aside: their slots stay what the
 * unit ran with before. Pure.
 *
 *   failed together ──▶ the first alone, the others aside ──▶ started: the next one joins
 *                                                     └─▶ failed: aside with its reason, the next one takes its place
 *
 * One that fails alone is set aside too when others use the unit: theirs must not wait for its repair.
 *
 * Setting aside goes back to what a phase began with, which lies within what the others expect in that phase: a phase ends
 * only when each required member has shown what it is for. `mayStandAside` says so for each case, and nothing is set aside
 * where it does not hold.
 */
import type { Role } from "../secret.ts";
import { mustAcceptAfterSwitch } from "./gates.ts";
import type { RolloutView, Slots } from "./slots.ts";

export interface Aside extends Slots {
  /** Of the rollout whose slots it stands for; with another one it means nothing. */
  readonly rolloutId: string;
  /** Null: another change is tried first. Otherwise why its unit did not start with it. */
  readonly reason: string | null;
}

export interface AsideView extends RolloutView {
  /** Of one that goes back: callers may hold the version that it goes to already. */
  readonly isRollback: boolean;
}

/** A binding whose unit failed to start, or started. */
export interface UnitChange {
  readonly bindingId: string;
  readonly role: Role;
  /** The open rollout that moves it; null: none does. */
  readonly rollout: (AsideView & { readonly id: string; readonly startedAtMs: number }) | null;
  readonly settled: Slots;
  /** What its unit last started well with; null: not known. */
  readonly ran: Slots | null;
  readonly aside: Aside | null;
  /** The old value is known to others and goes nowhere any more. */
  readonly isOldCompromised: boolean;
}

export interface Isolation {
  readonly setAside: readonly ({ readonly bindingId: string } & Aside)[];
  /** Bindings whose change is tried now. */
  readonly release: readonly string[];
}

/**
 * After a failure that is not tried again as it is. Null: it was the only secret's change, or cannot be taken apart; the
 * unit stays as it is for a person.
 */
export function isolate(changes: readonly UnitChange[], reason: string): Isolation | null {
  const moved = changes.filter((change) => asideOf(change) === null && hasMoved(change));
  if (moved.some(({ rollout }) => rollout === null)) return null;
  const groups = byRollout(moved);
  const waiting = byRollout(changes.filter((change) => asideOf(change)?.reason === null));
  const [first] = groups;
  if (first === undefined) return null;
  if (groups.length === 1) {
    const own = first[0]?.rollout?.id;
    const isUnitOfOthers = changes.some(({ rollout }) => rollout?.id !== own);
    if (!isUnitOfOthers || !first.every(canStandAside)) return null;
    const why = `${reason}; what its unit ran with before was put back`;
    return {
      setAside: first.map((change) => aside(change, why)),
      release: (waiting[0] ?? []).map(({ bindingId }) => bindingId),
    };
  }
  const fixed = groups.filter((group) => !group.every(canStandAside));
  if (fixed.length > 1) return null;
  const alone = fixed[0] ?? first;
  const others = groups.filter((group) => group !== alone).flat();
  return { setAside: others.map((change) => aside(change, null)), release: [] };
}

/** After a start that went well: who joins next. */
export function nextToJoin(changes: readonly UnitChange[]): readonly string[] {
  const [next] = byRollout(changes.filter((change) => asideOf(change)?.reason === null));
  return (next ?? []).map(({ bindingId }) => bindingId);
}

/** Null also where it was set aside for a rollout that is over. */
export function asideOf({
  aside: stored,
  rollout,
}: {
  readonly aside: Aside | null;
  readonly rollout: { readonly id: string } | null;
}): Aside | null {
  return stored !== null && stored.rolloutId === rollout?.id ? stored : null;
}

/** Whether a member may hold these slots in the phase that its rollout is in. */
export function mayStandAside(role: Role, rollout: AsideView, { primary, fallback }: Slots): boolean {
  const { strategy, phase, fromVersion: from, toVersion: to } = rollout;
  const held = [primary, fallback].filter((version) => version !== null);
  if (primary === null || from === null || held.some((version) => version !== from && version !== to))
    return false;
  // All at once has no order that could be broken.
  if (strategy === "replace") return true;
  const accepts = role === "caller" || mustAccept(rollout, from).every((version) => held.includes(version));
  return accepts && (role === "verifier" || maySend(phase, { from, to, strategy }, { primary, held }));
}

function mustAccept(rollout: AsideView, from: number): readonly number[] {
  switch (rollout.phase) {
    case "accept":
    case "stage":
      return rollout.isRollback ? [from, rollout.toVersion] : [from];
    case "switch":
    case "settle":
      return mustAcceptAfterSwitch(rollout);
    case "swap":
      // It is the one that changes, and callers try both meanwhile.
      return [];
    default:
      return rollout.strategy === "issued" ? [] : [rollout.toVersion];
  }
}

function maySend(
  phase: string,
  { from, to, strategy }: { readonly from: number; readonly to: number; readonly strategy: string },
  { primary, held }: { readonly primary: number; readonly held: readonly number[] },
): boolean {
  switch (phase) {
    case "accept":
    case "stage":
      return primary === from;
    case "swap":
      return held.includes(from) && held.includes(to);
    case "switch":
    case "settle":
      // One slot at the verifier: what is sent must include the new value.
      return strategy === "swap" ? held.includes(to) : true;
    default:
      return primary === to;
  }
}

function canStandAside(change: UnitChange): boolean {
  const { rollout, ran, role, isOldCompromised } = change;
  return rollout !== null && ran !== null && !isOldCompromised && mayStandAside(role, rollout, ran);
}

function aside(
  { bindingId, rollout, ran }: UnitChange,
  reason: string | null,
): Isolation["setAside"][number] {
  return {
    bindingId,
    rolloutId: rollout?.id ?? "",
    primary: ran?.primary ?? null,
    fallback: ran?.fallback ?? null,
    reason,
  };
}

function hasMoved({ settled, ran }: UnitChange): boolean {
  return ran === null || settled.primary !== ran.primary || settled.fallback !== ran.fallback;
}

/** The oldest rollout first. */
function byRollout(changes: readonly UnitChange[]): readonly (readonly UnitChange[])[] {
  const groups = new Map<string, UnitChange[]>();
  const ordered = [...changes].sort(
    (left, right) =>
      (left.rollout?.startedAtMs ?? 0) - (right.rollout?.startedAtMs ?? 0) ||
      (left.rollout?.id ?? "").localeCompare(right.rollout?.id ?? ""),
  );
  for (const change of ordered) {
    const id = change.rollout?.id ?? "";
    groups.set(id, [...(groups.get(id) ?? []), change]);
  }
  return [...groups.values()];
}
