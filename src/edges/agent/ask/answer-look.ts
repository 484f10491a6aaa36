/**
 * Answers a look that asks about services. Only while nothing restarts: an answer of the life before would speak for the
 * one after, so that what changed meanwhile is asked again.
 */
import { isDeepStrictEqual } from "node:util";
import type { Bundle } from "../../../protocol/agent/messages.ts";
import type { Allowed } from "../apply/allowed.ts";
import { hasQuestions } from "../apply/apply-bundle.ts";
import type { UnitRecord } from "../cache/record.ts";
import type { AgentContext } from "../context.ts";
import { askServices } from "./ask-services.ts";

export function isAnswerOwed({ records }: AgentContext, bundle: Bundle): boolean {
  const { lookedBy, unit } = records.now;
  return bundle.look !== null && lookedBy !== bundle.look && hasQuestions(bundle) && isAtRest(unit);
}

export async function answerLook(
  { records, host, nowMs }: AgentContext,
  bundle: Bundle,
  allowed: Allowed,
  signal: AbortSignal,
): Promise<void> {
  const { unit } = records.now;
  const startedAtMs = unit?.askedAt == null ? null : Date.parse(unit.askedAt);
  const answers = await askServices(bundle.asks ?? [], allowed, { host, nowMs, startedAtMs }, signal);
  if (signal.aborted || !isDeepStrictEqual(unit, records.now.unit)) return;
  await records.update({ lookedBy: bundle.look, answers: [...answers] });
}

export function isAtRest(unit: UnitRecord | null): boolean {
  return unit === null || ["succeeded", "blocked", "dormant"].includes(unit.state);
}
