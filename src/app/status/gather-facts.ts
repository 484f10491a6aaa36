/**
 * What the store knows, in the form that doctor reasons from; with what targets, secrets' places and the queue answered
 * just now, where somebody asked them. Asks no target itself.
 */
import type { DoctorFacts } from "../../core/doctor/facts.ts";
import type { AppContext } from "../base/context.ts";
import { itselfFacts } from "./itself-facts.ts";
import type { LiveAnswers } from "./live-answers.ts";
import { type Recorded, readRecorded } from "./recorded.ts";
import { secretFacts } from "./secret-facts.ts";
import { recordedFailures, targetFacts } from "./target-facts.ts";

/** Of all environments, and of what is on record alone: what doctor, alerts and healing agree about. */
export async function recordedFacts(context: AppContext): Promise<DoctorFacts> {
  const failures = await recordedFailures(context);
  const recorded = await readRecorded(context, undefined);
  return await gatherFacts(context, recorded, { failures, adoptions: new Map(), queueAway: false });
}

/** `recorded` as it is after the targets were asked: what they showed is in the store by then. */
export async function gatherFacts(
  context: AppContext,
  recorded: Recorded,
  live: LiveAnswers,
): Promise<DoctorFacts> {
  return {
    ...(await itselfFacts(context)),
    severalEnvironments: recorded.severalEnvironments,
    secrets: await secretFacts(context, recorded, live),
    targets: await targetFacts(context, recorded.targets, live.failures),
    queueAway: live.queueAway,
    queueTrouble: live.queueTrouble ?? null,
  };
}
