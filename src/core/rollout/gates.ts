/**
 * What each member must show before a phase may end, as reasons in words. Pure: a chain of checks, each of which knows
 * one thing.
 */
import {
  isAsked,
  type Member,
  refusesWhatItHolds,
  sends,
  verifies,
  wantedOf,
  whyNotAccepting,
  whyNotHolding,
} from "./member.ts";
import type { RolloutView } from "./slots.ts";
import type { Phase } from "./strategy.ts";

/** Null: this member lets the phase end. */
export function whyNotMet(member: Member, rollout: RolloutView): string | null {
  const wanted = wantedOf(member, rollout);
  const { fromVersion: from, toVersion: to } = rollout;
  switch (rollout.phase as Phase) {
    case "prepare":
      return null;
    case "commit":
      return whyNotHolding(member, wanted) ?? whyNotProbed(member, [to]);
    case "accept":
      // Callers wait: what they send stays what it was.
      if (!verifies(member)) return null;
      return (
        whyNotHolding(member, wanted) ??
        whyNotAcceptingAll(member, from === null ? [to] : [from, to]) ??
        whyTakenTooLate(member, rollout)
      );
    case "stage":
      return sends(member) ? (whyNotHolding(member, wanted) ?? whyNotTryingBoth(member)) : null;
    case "swap":
      return verifies(member)
        ? (whyNotHolding(member, wanted) ?? whyNotAcceptingAll(member, [to]))
        : whyNotHolding(member, wanted);
    case "switch":
    case "settle":
      return (
        whyNotHolding(member, wanted) ??
        (verifies(member) ? whyNotAcceptingAll(member, mustAcceptAfterSwitch(rollout)) : null) ??
        whyTakenTooLate(member, rollout)
      );
    case "retire":
      return whyNotHolding(member, wanted) ?? whyNotProbed(member, [to]) ?? whyStillAccepting(member, from);
  }
}

/** What verifiers must accept while callers move: both in `overlap`, the new one where they hold exactly one. */
export function mustAcceptAfterSwitch({ strategy, fromVersion, toVersion }: RolloutView): readonly number[] {
  if (strategy === "issued") return [];
  return strategy === "overlap" && fromVersion !== null ? [fromVersion, toVersion] : [toVersion];
}

/**
 * While callers move, a verifier that was ready is definitely not any more: it holds less, its process does, or it
 * refuses. Not being able to tell is no regress, only no progress.
 */
export function whyRegressed(member: Member, rollout: RolloutView): string | null {
  if (!verifies(member) || member.forced || rollout.strategy === "issued") return null;
  const { primary, fallback } = wantedOf(member, { ...rollout, held: false });
  const settledPrimary = member.settled.primary ?? null;
  const settledFallback = member.settled.fallback ?? null;
  // `both` moves itself in this phase: on its way from old/new to new/old it accepts the same two.
  const holdsAll = [primary, fallback].every(
    (version) => version === null || version === settledPrimary || version === settledFallback,
  );
  if (!holdsAll) return "it does not hold what callers may send";
  for (const version of mustAcceptAfterSwitch(rollout)) {
    const seen = member.acceptance.get(version);
    if (seen?.verdict === "refused" && isAsked(member) && !member.activating)
      return `it refuses v${version} (${seen.reason})`;
  }
  return member.lacks && !member.activating ? member.observedReason : null;
}

/** It cannot pass by waiting: a person must act. */
export function whyStuck(member: Member, rollout: RolloutView): string | null {
  if (member.stuck !== null) return member.stuck;
  if (!verifies(member)) return null;
  for (const version of probedVersions(rollout)) {
    if (refusesWhatItHolds(member, version)) {
      return `it holds v${version} and refuses it: its process does not accept ${
        version === member.settled.fallback ? "the fallback" : "what it holds"
      }`;
    }
  }
  return null;
}

/** The versions that a look at a verifier asks about: what this phase needs to know. */
export function probedVersions(
  rollout: Pick<RolloutView, "strategy" | "phase" | "fromVersion" | "toVersion">,
  counterProbed = false,
): readonly number[] {
  const { phase, fromVersion, toVersion, strategy } = rollout;
  if (fromVersion === null) return [toVersion];
  const isOldAsked = phase === "retire" || phase === "commit" ? counterProbed : strategy === "overlap";
  return isOldAsked ? [fromVersion, toVersion] : [toVersion];
}

/** Where there is a probe it decides too; where there is none, holding it must do. */
function whyNotProbed(member: Member, versions: readonly number[]): string | null {
  if (!verifies(member) || !isAsked(member) || member.restsAtStored) return null;
  return whyNotAcceptingAll(member, versions);
}

function whyNotAcceptingAll(member: Member, versions: readonly number[]): string | null {
  // It does not run, so nobody can ask it; it is looked at again at every gate.
  if (member.restsAtStored) return null;
  for (const version of versions) {
    const reason = whyNotAccepting(member, version);
    if (reason !== null) return reason;
  }
  return null;
}

/**
 * A verifier keeps the old value as its primary one until the last phase. Whoever takes that by a reference sends the old
 * value until then, and is refused afterwards until it is deployed anew.
 */
function whyTakenTooLate(
  { role, takenBy = [] }: Member,
  { strategy, fromVersion }: RolloutView,
): string | null {
  if (strategy !== "overlap" || fromVersion === null || role !== "verifier" || takenBy.length === 0)
    return null;
  return `${takenBy.join(", ")} takes the value from here by a reference, and would send v${fromVersion} until it is refused: say \`role: both\` here`;
}

function whyNotTryingBoth({ triesBoth }: Member): string | null {
  return triesBoth ? null : "nothing tells that it tries the other value when one is refused";
}

function whyStillAccepting(member: Member, from: number | null): string | null {
  if (!member.counterProbed || !verifies(member) || from === null || member.restsAtStored) return null;
  const seen = member.acceptance.get(from);
  if (seen?.verdict === "refused") return null;
  if (seen === undefined) return `not asked yet whether it still accepts v${from}`;
  return seen.verdict === "accepted"
    ? `it still accepts v${from}`
    : `cannot tell whether it still accepts v${from}: ${seen.reason}`;
}
