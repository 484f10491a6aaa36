/**
 * What is known about one binding of a moving secret, and whether it holds, uses and accepts what it should. Pure.
 *
 * Evidence has a subject: it belongs to the slots that are settled, and to the lives that were looked at. Whoever loads
 * members hands over only evidence of that subject; a new write or another life has dropped the rest.
 */
import { type Evidence, isAtLeast, type LadderEvidence } from "../evidence.ts";
import type { Role, Slot } from "../secret.ts";
import { type RolloutView, type Slots, slotsOf } from "./slots.ts";

export interface Acceptance {
  readonly verdict: "accepted" | "refused" | "cannot-tell";
  readonly reason: string;
  /** When it was asked, ISO 8601, where that is kept. */
  readonly at?: string;
}

/** `probe`: a live request; `report`: `lockstep/verify` in the process itself; `attested`: the configuration says so. */
export type AcceptanceBy = "probe" | "report" | "attested";

export interface Member {
  readonly bindingId: string;
  readonly target: string;
  readonly key: string;
  readonly role: Role;
  readonly optional: boolean;
  /** Fixed when the rollout (or the member) joined; never lowered. Null: a look must tell first what can be seen. */
  readonly required: LadderEvidence | null;
  readonly settled: Readonly<Partial<Record<Slot, number | null>>>;
  readonly evidence: Evidence | null;
  /** When what is known of it changed last: a settled write, a restart that ended. Ms since the epoch, the store's clock. */
  readonly changedAtMs: number;
  /** The begin of the last look that ended; null: never. */
  readonly observedAtMs: number | null;
  /** Why the last look did not show what it should, in words; null when it did. */
  readonly observedReason: string | null;
  /** The last look showed that it definitely holds less than it should; otherwise it could not be told. */
  readonly lacks: boolean;
  /** A unit of its is about to restart or restarting: a look now would only see the life before. */
  readonly activating: boolean;
  /** By what the application's word is had that it accepts a value; null: by nothing. Of verifiers. */
  readonly acceptanceBy: AcceptanceBy | null;
  /** What live requests showed, by version; only of the present subject. */
  readonly acceptance: ReadonlyMap<number, Acceptance>;
  /** After retirement the old value must be refused. */
  readonly counterProbed: boolean;
  /** The config says that it uses what is stored there. */
  readonly useAttested: boolean;
  /** The config says that it sends the other slot's value when the first is refused. Of callers. */
  readonly triesBoth: boolean;
  /** Its longest silence in ms: a weekly job. 0: it is never silent. Of callers. */
  readonly silentForMs: number;
  /** When a verifier last saw the old value used, by its own count; undefined: it does not count, null: never. */
  readonly oldUsedAtMs?: number | null;
  /** Others that take its primary value by a reference, and send it. */
  readonly takenBy?: readonly string[];
  /** Why it cannot go on without a person, in words; null while it can. */
  readonly stuck: string | null;
  /** Another change of its unit is tried alone first: together they failed. */
  readonly waitsItsTurn?: boolean;
  /** Nothing restarts there: no process runs and none is woken, or the place already held the value. */
  readonly restsAtStored: boolean;
  /** A person took it out of this rollout's gates. */
  readonly forced: boolean;
}

export function verifies({ role }: Pick<Member, "role">): boolean {
  return role !== "caller";
}

/** The application itself is asked, again and again. */
export function isAsked({ acceptanceBy }: Pick<Member, "acceptanceBy">): boolean {
  return acceptanceBy === "probe" || acceptanceBy === "report";
}

export function sends({ role }: Pick<Member, "role">): boolean {
  return role !== "verifier";
}

export function wantedOf(member: Member, rollout: RolloutView): Slots {
  return slotsOf(member, rollout.toVersion, rollout);
}

/** Null when it holds these slots with the evidence that it needs; otherwise why not, in words. */
export function whyNotHolding(member: Member, wanted: Slots): string | null {
  const missing = whyNotStored(member, wanted);
  if (missing !== null) return missing;
  if (!isAtLeast(member.evidence, "stored")) return member.stuck ?? lack(member, "stored");
  // A live request may have met the new life while the old one still serves.
  if (member.activating && !member.restsAtStored)
    return member.stuck ?? `${member.evidence} seen, but its restart is not over`;
  if (member.restsAtStored || member.useAttested) return null;
  if (member.required === null) return "a look must tell first what can be seen of it";
  if (isAtLeast(member.evidence, member.required)) return null;
  return member.stuck ?? lack(member, member.required);
}

const TAKES_TURNS = "its unit did not start with several changes at once; another one is tried alone first";

function whyNotStored(member: Member, { primary, fallback }: Slots): string | null {
  const known = member.stuck ?? (member.waitsItsTurn === true ? TAKES_TURNS : null);
  if (primary !== null && (member.settled.primary ?? null) !== primary)
    return known ?? `v${primary} is not stored there yet`;
  const settledFallback = member.settled.fallback ?? null;
  if (settledFallback === fallback) return null;
  return (
    known ??
    (fallback === null
      ? `v${settledFallback} still stands beside it`
      : `v${fallback} is not stored beside it yet`)
  );
}

function lack({ evidence, observedReason }: Member, required: LadderEvidence): string {
  return observedReason ?? `${evidence ?? "nothing"} seen, needs ${required}`;
}

/** Null when the application was seen, or is attested, to accept this version. Of verifiers. */
export function whyNotAccepting(member: Member, version: number): string | null {
  if (member.acceptanceBy === "attested") return null;
  if (member.acceptanceBy === null) return "nothing tells whether it accepts a value";
  const seen = member.acceptance.get(version);
  if (seen === undefined) return `not asked yet whether it accepts v${version}`;
  if (seen.verdict === "accepted") return null;
  if (seen.verdict === "refused")
    return `it refuses v${version} (${seen.reason})${holds(member, version) ? " although it holds it" : ""}`;
  return `cannot tell whether it accepts v${version}: ${seen.reason}`;
}

function holds({ settled }: Member, version: number): boolean {
  return settled.primary === version || settled.fallback === version;
}

/** It runs with what it holds, was asked, and said no: waiting longer does not change that. */
export function refusesWhatItHolds(member: Member, version: number): boolean {
  return (
    member.acceptance.get(version)?.verdict === "refused" &&
    holds(member, version) &&
    isAtLeast(member.evidence, member.required ?? "deployed") &&
    (member.observedAtMs ?? 0) >= member.changedAtMs
  );
}
