/**
 * What the store knows, in the form that doctor reasons from; with what targets, secrets' places and the queue answered
 * just now, where somebody asked them. Asks no target itself.
 */
import type { PlaceFacts } from "../../core/doctor/diagnose.ts";
import type { DoctorFacts } from "../../core/doctor/facts.ts";
import type { AppContext } from "../base/context.ts";
import { itselfFacts } from "./itself-facts.ts";
import type { LiveAnswers } from "./live-answers.ts";
import { type Recorded, readRecordedOf } from "./recorded.ts";
import { secretFacts } from "./secret-facts.ts";
import { recordedFailures, targetFacts } from "./target-facts.ts";

/** Of Lockstep itself, and of the places of which people are to be told; from what is on record alone. */
export async function noticedFacts(context: AppContext): Promise<DoctorFacts> {
  const noticed = await context.store.read.judgements.noticed();
  const recorded = await readRecordedOf(context, { ...noticed, bindingIds: [] });
  const failures = await recordedFailures(context, recorded.targets);
  return await gatherFacts(context, recorded, { failures, adoptions: new Map(), queueAway: false });
}

/** Without what is said of Lockstep itself; from what is on record alone. */
export async function recordedPlaceFacts(context: AppContext, recorded: Recorded): Promise<PlaceFacts> {
  const failures = await recordedFailures(context, recorded.targets);
  return {
    now: context.clock.now(),
    release: context.release,
    severalEnvironments: recorded.severalEnvironments,
    secrets: await secretFacts(context, recorded, { failures, adoptions: new Map(), queueAway: false }),
    targets: await targetFacts(context, recorded.targets, failures),
  };
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
