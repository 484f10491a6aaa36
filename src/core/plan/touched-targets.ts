/**
 * The targets whose desired content a configuration changes: they get a new generation, and the loop looks at all
 * their keys again. Pure. A secret without a value claims nothing, so its bindings touch nothing.
 */
import type { StoredConfig } from "../store/config.ts";
import { type DesiredConfig, targetId } from "./desired-config.ts";
import type { Difference } from "./diff-config.ts";

/** What of a binding only Lockstep itself looks at. */
const INTERNAL_CONTENT: ReadonlySet<string> = new Set(["optional", "drift", "options"]);

/** Names as `targetId` gives them. */
export function touchedTargets(
  desired: DesiredConfig,
  stored: StoredConfig,
  differences: readonly Difference[],
): ReadonlySet<string> {
  const valued = new Set(
    stored.secrets
      .filter((secret) => secret.currentVersion !== null)
      .map((secret) => `${secret.environment}/${secret.name}`),
  );
  const hasValue = (binding: { readonly secretEnvironment: string; readonly secret: string }): boolean =>
    valued.has(`${binding.secretEnvironment}/${binding.secret}`);
  const touched = new Set<string>();
  for (const difference of differences) {
    if (difference.subject === "key") {
      touched.add(targetId(difference.owned.targetEnvironment, difference.owned.target));
    } else if (difference.subject === "binding" && difference.action !== "remove") {
      const { desired: binding } = difference;
      const seenOutside =
        difference.action === "create" || difference.changed.some((name) => !INTERNAL_CONTENT.has(name));
      if (seenOutside && hasValue(binding)) touched.add(targetId(binding.targetEnvironment, binding.target));
    } else if (difference.subject === "target" && difference.action === "change") {
      const id = targetId(difference.desired.environment, difference.desired.name);
      const bound = desired.bindings.filter(
        (binding) => targetId(binding.targetEnvironment, binding.target) === id,
      );
      if (bound.some(hasValue)) touched.add(id);
    }
  }
  return touched;
}
