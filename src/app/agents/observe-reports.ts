/**
 * What agents told when they were asked to look again, as a look: what stands there, whether their own child runs with
 * it, and what a live request from here shows too. Level: the same answer again is dropped.
 */

import { SLOTS } from "../../core/secret.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import { type KnownBinding, loadKnown } from "../desired/known-bindings.ts";
import { foundInWords, type ReadBack } from "../observe/judge-stored.ts";
import type { InstancesObservation } from "../observe/observe-instances.ts";
import { lookOf } from "../observe/observe-target.ts";
import { observeVerifier } from "../observe/observe-verifier.ts";
import type { AgentReport } from "./apply-reports.ts";
import { reportedAnswers } from "./reported-answers.ts";

const PROBE_WITHIN_MS = 60_000;

export async function observeReports(
  context: AppContext,
  target: TargetRecord,
  told: readonly AgentReport[],
): Promise<void> {
  const beganAtMs = askedAt(target, told);
  if (beganAtMs === null) return;
  const known = (await loadKnown(context, target.id)).filter(
    ({ binding: { rollout, settled, observedAtMs } }) =>
      rollout !== null && settled.primary !== undefined && (observedAtMs ?? 0) < beganAtMs,
  );
  const there = { told: (bindingId: string) => reportedAnswers(told, bindingId) };
  for (const one of known) {
    const asked = await observeVerifier(context, there, one, null, AbortSignal.timeout(PROBE_WITHIN_MS));
    const look = lookOf(one.binding, beganAtMs, {
      ...whyWrong(one, told),
      lives: livesOf(one, told),
      ...asked,
    });
    await context.store.transaction((tx) => tx.targets.recordObservation(look));
  }
}

/** The oldest of what they answer, and never later than what was asked: an agent's word moves no clock. */
export function askedAt(
  { reportRequestedAtMs }: Pick<TargetRecord, "reportRequestedAtMs">,
  told: readonly { readonly content: Pick<AgentReport["content"], "look"> }[],
): number | null {
  const answered = told.map(({ content }) => Number(content.look ?? Number.NaN));
  const oldest = Math.min(...answered);
  if (reportRequestedAtMs === null || !Number.isFinite(oldest)) return null;
  return Math.min(oldest, reportRequestedAtMs);
}

function whyWrong({ binding }: KnownBinding, told: readonly AgentReport[]): ReadBack {
  let readBack = true;
  for (const { content } of told) {
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
function livesOf({ binding }: KnownBinding, told: readonly AgentReport[]): InstancesObservation | null {
  const units = told.flatMap(({ content }) =>
    content.units.filter(({ isOwnChild }) => isOwnChild).map((unit) => ({ unit, digest: content.digest })),
  );
  if (units.length === 0 || binding.placement !== "") return null;
  const isRight = units.every(({ unit, digest }) => unit.state === "succeeded" && unit.digest === digest);
  const { primary, fallback } = binding.settled;
  return isRight
    ? {
        verdict: { state: "right" },
        replicas: 1,
        told: {
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
        told: { state: "changing", reason: "its process is about to restart" },
      };
}
