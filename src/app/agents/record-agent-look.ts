/**
 * What agents told when they were asked to look again, as a look: what stands there, whether their own child runs with
 * it, and what a live request from here shows besides. Level: the same answer again is dropped.
 */

import { SLOTS } from "../../core/secret.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import { type KnownBinding, loadKnown } from "../desired/known-bindings.ts";
import { askBinding } from "../observe/ask-binding.ts";
import type { LivesSeen } from "../observe/look-at-lives.ts";
import { lookOf } from "../observe/look-at-target.ts";
import { foundInWords, type ReadBack } from "../observe/stored.ts";
import type { Told } from "./settle-reports.ts";
import { toldThere } from "./told-there.ts";

const PROBE_WITHIN_MS = 60_000;

export async function recordAgentLook(
  context: AppContext,
  target: TargetRecord,
  told: readonly Told[],
): Promise<void> {
  const beganAtMs = askedAt(target, told);
  if (beganAtMs === null) return;
  const known = (await loadKnown(context, target.id)).filter(
    ({ binding: { rollout, settled, lookedAtMs } }) =>
      rollout !== null && settled.primary !== undefined && (lookedAtMs ?? 0) < beganAtMs,
  );
  const there = { told: (bindingId: string) => toldThere(told, bindingId) };
  for (const one of known) {
    const asked = await askBinding(context, there, one, null, AbortSignal.timeout(PROBE_WITHIN_MS));
    const look = lookOf(one.binding, beganAtMs, {
      ...whyWrong(one, told),
      lives: livesOf(one, told),
      ...asked,
    });
    await context.store.transaction((tx) => tx.targets.recordLook(look));
  }
}

/** The oldest of what they answer, and never later than what was asked: an agent's word moves no clock. */
export function askedAt(
  { lookAskedAtMs }: Pick<TargetRecord, "lookAskedAtMs">,
  told: readonly { readonly content: Pick<Told["content"], "look"> }[],
): number | null {
  const answered = told.map(({ content }) => Number(content.look ?? Number.NaN));
  const oldest = Math.min(...answered);
  if (lookAskedAtMs === null || !Number.isFinite(oldest)) return null;
  return Math.min(oldest, lookAskedAtMs);
}

function whyWrong({ binding }: KnownBinding, told: readonly Told[]): ReadBack {
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
function livesOf({ binding }: KnownBinding, told: readonly Told[]): LivesSeen | null {
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
