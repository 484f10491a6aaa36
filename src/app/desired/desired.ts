/** What one target must hold now: read from the store, with values opened as late as the comparison needs them. */

import type { DesiredSlot, PrunedSlot } from "../../core/reconcile/plan-change.ts";
import { asideOf } from "../../core/rollout/aside.ts";
import { slotEntries, slotsOf } from "../../core/rollout/slots.ts";
import type { LoopBinding, PrunableKey } from "../../core/store/targets.ts";
import { renderFields } from "../../core/template.ts";
import { memoize } from "../../lib/memoize.ts";
import type { AppContext } from "../base/context.ts";
import { type OpenedVersion, openKnownVersions, renderKnown } from "./known-values.ts";
import { assertNotNewer } from "./newer-rollout.ts";

export interface Desired {
  readonly slots: readonly DesiredSlot[];
  readonly pruned: readonly Prunable[];
  readonly bindings: readonly LoopBinding[];
}

/** `place`: of a binding that is gone; null: the fallback of a live one, which the rollout needs no more. */
export type Prunable = PrunedSlot & { readonly place: string | null };

export async function loadDesired(context: AppContext, targetId: string): Promise<Desired> {
  const { read } = context.store;
  const [bindings, prunable] = await Promise.all([
    read.targets.bindings(targetId),
    read.targets.prunable(targetId),
  ]);
  const versionsOf = memoize((secretId: string) => openKnownVersions(context, read, secretId));

  const slots: DesiredSlot[] = [];
  const unneeded: Unneeded[] = [];
  for (const binding of bindings) {
    if (binding.rollout !== null)
      assertNotNewer(binding.rollout, `say what "${binding.secretName}" must be there`);
    const wanted = asideOf(binding) ?? slotsOf(binding, binding.currentVersion, binding.rollout);
    for (const { slot, version } of slotEntries(wanted)) {
      if (version === null) {
        if (binding.wroteFallback) unneeded.push(fallbackOf(binding));
        continue;
      }
      const versions = await versionsOf(binding.secretId);
      const opened = versions.get(version);
      // Compromised or destroyed: never pushed. What stands there stays until there is a better version.
      if (opened === undefined || opened.compromised) continue;
      if (opened.changed !== null) throw opened.changed;
      const value = renderFields(opened.fields, binding.template);
      const settledVersion = binding.settled[slot] ?? null;
      slots.push({
        bindingId: binding.id,
        secretId: binding.secretId,
        placement: binding.placement,
        key: slot === "primary" ? binding.key : binding.fallbackKey,
        slot,
        version,
        value,
        owned: settledVersion !== null && binding.settledInEpoch,
        takeOver: binding.takeOver,
        settledVersion,
        others: renderKnown(versions, { template: binding.template, except: version }),
      });
    }
  }
  const pruned = await Promise.all(
    [...prunable, ...unneeded].map(async (key) => toPruned(key, await versionsOf(key.secretId))),
  );
  return { slots, pruned, bindings };
}

type Unneeded = Omit<PrunableKey, "place"> & { readonly place: string | null };

function fallbackOf({ id, secretId, placement, fallbackKey, template }: LoopBinding): Unneeded {
  return { place: null, placement, key: fallbackKey, slot: "fallback", bindingId: id, secretId, template };
}

function toPruned(key: Unneeded, versions: ReadonlyMap<number, OpenedVersion>): Prunable {
  return {
    place: key.place,
    placement: key.placement,
    key: key.key,
    bindingId: key.bindingId,
    secretId: key.secretId,
    slot: key.slot,
    known: renderKnown(versions, key),
  };
}
