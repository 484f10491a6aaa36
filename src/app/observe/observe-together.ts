/** Targets that are observed at once: what several of them would read of one place, they read once. */
import { setMaxListeners } from "node:events";
import type { SharedReads } from "../../core/ports/target-context.ts";
import type { TargetRecord } from "../../core/store/targets.ts";
import { groupBy } from "../../lib/group-by.ts";
import { mapLimited } from "../../lib/map-limited.ts";
import type { AppContext } from "../base/context.ts";
import { checkGroupOf } from "../targets/open-target.ts";
import { type CheckLimits, type CheckObservation, observeForCheck } from "./observe-for-check.ts";

/** `work` decides what an observation, or its error, is good for. */
export async function observeTogether<T>(
  context: AppContext,
  targets: readonly TargetRecord[],
  limits: CheckLimits & { readonly maxAtOnce: number },
  signal: AbortSignal,
  work: (target: TargetRecord, observe: () => Promise<CheckObservation>) => Promise<T>,
): Promise<readonly T[]> {
  // One listener for each target that is observed, and several of each.
  setMaxListeners(0, signal);
  const beganAtMs = performance.now();
  const shared = createSharedReads(signal);
  const groups = groupBy(targets, (target) => checkGroupOf(context, target));
  return await mapLimited(targets, limits.maxAtOnce, (target) => {
    const isShared = (groups.get(checkGroupOf(context, target))?.length ?? 0) > 1;
    const sharedReads = isShared ? shared : undefined;
    return work(target, () =>
      observeForCheck(context, target, { ...limits, beganAtMs, sharedReads }, signal),
    );
  });
}

/** Each read is made once, under the signal of all that share it. */
export function createSharedReads(signal: AbortSignal): SharedReads {
  const reads = new Map<string, Promise<unknown>>();
  return {
    once<T>(key: string, read: (signal: AbortSignal) => Promise<T>): Promise<T> {
      const known = reads.get(key) ?? read(signal);
      // Everybody may have given up waiting by then.
      known.catch(() => undefined);
      reads.set(key, known);
      return known as Promise<T>;
    },
  };
}
