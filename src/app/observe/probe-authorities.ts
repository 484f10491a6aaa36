/** Of what was seen at one target: which values were changed at their authority, as the services there say themselves. */
import { isNewer } from "../../core/drift/authority.ts";
import type { ObservedKey } from "../../core/ports/place.ts";
import { addressText, type PlannedItem } from "../../core/reconcile/plan-change.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { LoopBinding } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import type { Desired } from "../desired/desired.ts";
import { type ProbeOrigin, probeOnce, proberFor } from "./probe-binding.ts";

export interface Newer {
  readonly binding: LoopBinding;
  readonly found: SecretValue;
}

export async function probeAuthorities(
  context: AppContext,
  target: ProbeOrigin,
  seen: {
    readonly desired: Desired;
    readonly items: readonly PlannedItem[];
    readonly keys: readonly ObservedKey[];
  },
  signal: AbortSignal,
): Promise<readonly Newer[]> {
  const observed = new Map(seen.keys.map((key) => [addressText(key), key.observed]));
  const newer: Newer[] = [];
  for (const item of seen.items) {
    const binding = seen.desired.bindings.find(({ id }) => id === item.bindingId);
    const there = observed.get(addressText(item));
    if (binding === undefined) continue;
    const { authority, probe } = binding.options;
    const isSettled = binding.rollout === null && binding.settled.primary === item.version;
    if (!authority || probe === null || item.slot !== "primary" || !isSettled) continue;
    if (item.found.kind !== "unknown" || there?.state !== "present") continue;
    const ours = seen.desired.slots.find((slot) => addressText(slot) === addressText(item))?.value;
    if (ours === undefined) continue;
    const prober = proberFor(context, target, probe);
    const verdicts = {
      found: (await probeOnce(prober, probe, there.value, signal)).verdict,
      ours: (await probeOnce(prober, probe, ours, signal)).verdict,
    };
    if (isNewer(verdicts)) newer.push({ binding, found: there.value });
  }
  return newer;
}
