/**
 * What a newer release began may mean what this one does not know: while both run, or after going back, it is left alone.
 * Its places are neither pushed to nor told what to hold, and nobody moves it through this release.
 */
import { LockstepError } from "../../core/errors.ts";
import { ENGINE_VERSION } from "../../core/rollout/strategy.ts";

export function isNewer({ engineVersion }: { readonly engineVersion: number }): boolean {
  return engineVersion > ENGINE_VERSION;
}

/** Throws ROLLOUT_NEWER. `cannot`: "roll back rollout 1234". */
export function assertNotNewer(
  rollout: { readonly id: string; readonly engineVersion: number },
  cannot: string,
): void {
  if (!isNewer(rollout)) return;
  throw new LockstepError(
    "ROLLOUT_NEWER",
    `Cannot ${cannot}: a newer release began rollout ${rollout.id}, and this one does not know what it means.`,
    { details: { rollout: rollout.id, engine: rollout.engineVersion, known: ENGINE_VERSION } },
  );
}
