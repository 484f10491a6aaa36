/** What the unit owes, written down before it can be forgotten. */
import type { LockstepError } from "../../../core/errors.ts";
import type { Bundle } from "../../../protocol/agent/messages.ts";
import { CHILD_KEY, unitName } from "../../../protocol/agent/unit-name.ts";
import type { UnitRecord } from "../cache/record.ts";
import type { AgentContext } from "../context.ts";
import type { Allowed } from "./allowed.ts";

/** Something changed, or is about to: the unit needs a restart. Nothing where nothing restarts. */
export async function oweRestart(context: AgentContext, bundle: Bundle, allowed: Allowed): Promise<void> {
  const key = unitKey(context, bundle, allowed);
  if (key === null) return;
  const now = new Date(context.nowMs()).toISOString();
  const { unit } = context.records.now;
  if (unit?.key === key && unit.state === "owed" && unit.digest === bundle.digest) return;
  const waiting = unit?.key === key && unit.state === "owed";
  await context.records.update({
    unit: {
      key,
      state: "owed",
      digest: bundle.digest,
      pushId: bundle.pushId,
      knownIds: [],
      id: null,
      attempts: 0,
      owedAt: waiting ? unit.owedAt : now,
      changedAt: now,
      askedAt: null,
      incarnation: null,
      error: null,
    },
  });
}

/** An instant of a clock that was set back since lies in its future: what is counted from it begins now instead. */
export async function pastRecord(context: AgentContext, unit: UnitRecord): Promise<UnitRecord> {
  const nowMs = context.nowMs();
  const now = new Date(nowMs).toISOString();
  const past = (instant: string): string => (Date.parse(instant) > nowMs ? now : instant);
  const { owedAt, changedAt, askedAt } = unit;
  const counted = { owedAt: past(owedAt), changedAt: past(changedAt), askedAt: askedAt && past(askedAt) };
  if (counted.owedAt === owedAt && counted.changedAt === changedAt && counted.askedAt === askedAt)
    return unit;
  const corrected = { ...unit, ...counted };
  await context.records.update({ unit: corrected });
  return corrected;
}

/** Surely nothing was changed: the unit stands as it did before. */
export async function withdrawRestart(
  context: AgentContext,
  before: UnitRecord | null,
  failures: readonly LockstepError[],
): Promise<void> {
  if (context.records.now.unit?.state !== "owed") return;
  if (failures.some((failure) => failure.verdict === "read-back")) return;
  await context.records.update({ unit: before });
}

/**
 * Another unit is configured than the one on record: what that one had not finished is the new one's to start with, and
 * nobody asks for the old one any more.
 */
export async function followUnit(context: AgentContext, bundle: Bundle, allowed: Allowed): Promise<void> {
  const { unit } = context.records.now;
  const wanted = context.child === null ? unitName(bundle.activate) : CHILD_KEY;
  if (unit === null || unit.key === wanted) return;
  // Not allowed by the host's owner yet: what is owed stays owed until it is.
  if (wanted !== null && unitKey(context, bundle, allowed) === null) return;
  await context.records.update({ unit: null });
  if (unit.state !== "succeeded" && unit.state !== "dormant") await oweRestart(context, bundle, allowed);
}

/** A new push of what failed to start is a person's word to try it again. */
export async function tryAgain(context: AgentContext, bundle: Bundle): Promise<void> {
  const { unit } = context.records.now;
  if (unit === null || unit.state !== "blocked" || unit.pushId === bundle.pushId) return;
  await context.records.update({
    unit: { ...unit, state: "owed", attempts: 0, pushId: bundle.pushId, digest: bundle.digest, error: null },
  });
}

/** By which the server knows the unit of this agent. Null: nothing restarts, or the host's owner does not allow it. */
export function unitKey({ child }: AgentContext, bundle: Bundle, { activation }: Allowed): string | null {
  if (child !== null) return CHILD_KEY;
  return activation === null ? null : unitName(bundle.activate);
}
