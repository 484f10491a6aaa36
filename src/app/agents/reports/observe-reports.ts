/**
 * What agents reported when they were requested to, observed for the gates of rollouts: what stands there, whether their
 * own child runs with it, and what a live request from here shows as well. Part of the job `look`, never of an agent's
 * request: a probe may take longer than an agent waits for its answer. Level: what was observed already is left alone.
 */
import { SLOTS } from "../../../core/secret.ts";
import type { TargetRecord } from "../../../core/store/targets.ts";
import type { AppContext } from "../../base/context.ts";
import type { KnownBinding } from "../../desired/known-values.ts";
import { foundInWords, type ReadBack } from "../../observe/judge-stored.ts";
import { loadGated, observeEach, observeForGates } from "../../observe/observe-for-gates.ts";
import type { InstancesObservation } from "../../observe/observe-instances.ts";
import { observeVerifier } from "../../observe/observe-verifier.ts";
import { type AgentReport, lastReports } from "./agent-report.ts";
import { reportedAnswers } from "./reported-answers.ts";

/** Throws as `observeForGates` does. */
export async function observeReports(
  context: AppContext,
  target: TargetRecord,
  signal: AbortSignal,
): Promise<void> {
  const reports = await lastReports(context, target.id);
  const beganAtMs = answeredAtMs(target, reports);
  if (beganAtMs === null) return;
  const known = (await loadGated(context, target.id)).filter(
    ({ binding: { observedAtMs } }) => (observedAtMs ?? 0) < beganAtMs,
  );
  const question = { target, known, beganAtMs };
  const origin = { reported: (bindingId: string) => reportedAnswers(reports, bindingId) };
  await observeForGates(context, question, signal, (limited) =>
    observeEach(question, async (one) => ({
      ...whyWrong(one, reports),
      ...(await observeVerifier(context, origin, one, null, limited)),
      instances: instancesOf(one, reports),
    })),
  );
}

/**
 * When the request was made that these reports answer: the oldest counts, and none later than was requested, because an
 * agent's word moves no clock. `TargetRepo.unobserved` computes the same. Null: not all of them answer one.
 */
export function answeredAtMs(
  { reportRequestedAtMs }: Pick<TargetRecord, "reportRequestedAtMs">,
  reports: readonly { readonly content: Pick<AgentReport["content"], "look"> }[],
): number | null {
  const answered = reports.map(({ content }) => Number(content.look ?? Number.NaN));
  const oldest = Math.min(...answered);
  if (reportRequestedAtMs === null || !Number.isFinite(oldest)) return null;
  return Math.min(oldest, reportRequestedAtMs);
}

function whyWrong({ binding }: KnownBinding, reports: readonly AgentReport[]): ReadBack {
  let readBack = true;
  for (const { content } of reports) {
    for (const slot of SLOTS) {
      const wanted = binding.settled[slot];
      if (wanted === undefined) continue;
      const item = content.seen.find((seen) => seen.bindingId === binding.id && seen.slot === slot);
      const found = item?.found;
      if (found === undefined || found.kind === "unreadable") {
        readBack = false;
        continue;
      }
      if (found.kind === "version" && found.version === wanted) continue;
      return {
        wrong: `its agent sees ${foundInWords(found)} in the ${slot} slot, not v${wanted}`,
        readBack: false,
      };
    }
  }
  return { wrong: null, readBack };
}

/** Of a process that the agent itself started; of others it sees no more than that they restarted well. */
function instancesOf(
  { binding }: KnownBinding,
  reports: readonly AgentReport[],
): InstancesObservation | null {
  const units = reports.flatMap(({ content }) =>
    content.units.filter(({ isOwnChild }) => isOwnChild).map((unit) => ({ unit, digest: content.digest })),
  );
  if (units.length === 0 || binding.placement !== "") return null;
  const isRight = units.every(({ unit, digest }) => unit.state === "succeeded" && unit.digest === digest);
  const { primary, fallback } = binding.settled;
  return isRight
    ? {
        verdict: { state: "right" },
        replicas: 1,
        stored: {
          state: "lives",
          lives: units.map(({ unit }) => ({
            id: unit.key,
            primary: `v${String(primary)}`,
            fallback: fallback === undefined ? "absent" : `v${fallback}`,
          })),
        },
      }
    : {
        verdict: { state: "changing", reason: "its process is about to restart" },
        replicas: 1,
        stored: { state: "changing", reason: "its process is about to restart" },
      };
}
