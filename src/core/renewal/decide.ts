/** What is to be done about one secret's token now: gather once, judge by a chain, each with its reason. Pure. */
import type { RenewalCandidate } from "../store/renewals.ts";
import { dueAtMs, levelOf, type RenewalLevel } from "./due.ts";

export type RenewalVerdict =
  | { readonly act: "issue"; readonly why: string }
  /** `untilMs` null: until somebody acts. */
  | { readonly act: "wait"; readonly untilMs: number | null; readonly why: string }
  /** What a request without an answer may have used up cannot be known: a person must be told. */
  | { readonly act: "tell-lost" };

export interface Moment {
  readonly nowMs: number;
  /** In [0, 1), the same for one version of one secret. */
  readonly seed: number;
}

type Known = Pick<RenewalCandidate, "newest" | "singleUseCurrent" | "state"> & {
  readonly policy: Pick<RenewalCandidate["policy"], "renew"> & {
    readonly issue: Pick<RenewalCandidate["policy"]["issue"], "stored">;
  };
};

export function decide(known: Known, { nowMs, seed }: Moment): RenewalVerdict {
  const { newest, policy, state } = known;
  if (state.isTaken) return { act: "wait", untilMs: null, why: "another process asks for it now" };
  const isNew = isAnotherIssue(known);
  // What was never seen to be replaced is good after a lost answer as well: it is simply asked with again.
  if (state.attempt !== null && isStillThere(known) && state.rotates && state.lostAtMs === null)
    return { act: "tell-lost" };
  if (mustAct(known)) return { act: "wait", untilMs: null, why: "a person must act" };
  if (state.notBeforeMs !== null && state.notBeforeMs > nowMs && !isNew && state.lostAtMs === null)
    return { act: "wait", untilMs: state.notBeforeMs, why: "it is tried again then" };
  if (newest === null) return { act: "issue", why: "there is no token yet" };
  if (newest.expiresAtMs === null) return { act: "wait", untilMs: null, why: "its token does not end" };
  const due = dueAtMs({ madeAtMs: newest.madeAtMs, expiresAtMs: newest.expiresAtMs }, policy.renew, seed);
  return due <= nowMs
    ? { act: "issue", why: "it is due" }
    : { act: "wait", untilMs: due, why: "it is not due yet" };
}

/** Only for what was presented: a new refresh token, or another way of asking, changes everything. */
export function mustAct(known: Pick<Known, "policy" | "singleUseCurrent" | "state">): boolean {
  return known.state.lostAtMs !== null && isStillThere(known) && !isAnotherIssue(known);
}

/** What the last request presented is what the next one would. */
export function isStillThere({
  singleUseCurrent,
  state,
}: Pick<Known, "singleUseCurrent" | "state">): boolean {
  return state.singleUse !== null && state.singleUse.version === singleUseCurrent;
}

function isAnotherIssue({ policy, state }: Pick<Known, "policy" | "state">): boolean {
  return state.issue !== null && JSON.stringify(state.issue) !== JSON.stringify(policy.issue.stored);
}

/** What a person should be told now; null: nothing. Without any token nobody has had one to lose. */
export function levelNow(
  { newest, policy, state }: Pick<Known, "newest" | "policy" | "state">,
  { nowMs, seed }: Moment,
): RenewalLevel | null {
  if (newest === null) {
    if (state.lostAtMs !== null) return "urgent";
    return state.failures >= 2 ? "failing" : null;
  }
  if (newest.expiresAtMs === null) return state.lostAtMs === null ? null : "urgent";
  const life = { madeAtMs: newest.madeAtMs, expiresAtMs: newest.expiresAtMs };
  const level = levelOf({
    nowMs,
    dueAtMs: dueAtMs(life, policy.renew, seed),
    expiresAtMs: life.expiresAtMs,
    failures: state.failures,
  });
  return state.lostAtMs !== null && (level === null || level === "failing") ? "urgent" : level;
}
