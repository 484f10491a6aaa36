/** What restarts at a target after its configuration changed. */
import type { DesiredTarget } from "../../core/plan/desired-config.ts";
import type { UnitSpec } from "../../core/ports/place.ts";
import type { StoredTarget } from "../../core/store/config.ts";
import type { AppContext } from "../base/context.ts";

/**
 * Null: the same as before, as far as the configuration says. Where only a look tells and the place is another now, none:
 * what restarted at the former one does not count, and the next write tells of the new ones.
 */
export function unitsAfter(
  { targetKinds }: AppContext,
  stored: StoredTarget,
  desired: DesiredTarget,
): readonly UnitSpec[] | null {
  const units = targetKinds.get(desired.kind)?.units?.(desired.config, stored.id);
  if (units !== undefined) return units;
  const placeOf = ({ kind, config }: StoredTarget | DesiredTarget): string | undefined =>
    targetKinds.get(kind)?.locationKey(config, "", desired);
  return stored.kind !== desired.kind || placeOf(stored) !== placeOf(desired) ? [] : null;
}
