/** Who takes a bound key from its place by a reference, and would go on with the old value after a change of it. */
import { targetId } from "../../core/plan/desired-config.ts";
import { visibleLine } from "../../lib/visible-text.ts";
import type { ConfigProblem } from "../../protocol/config-problem.ts";
import type { Look } from "./observe-places.ts";
import type { Prepared } from "./prepare.ts";

export function takenElsewhere(
  { desired }: Pick<Prepared, "desired">,
  looks: ReadonlyMap<string, Look>,
): readonly ConfigProblem[] {
  // Where something is bound, it is deployed with each change of what it takes.
  const bound = new Set(desired.bindings.map(({ place }) => place));
  return desired.bindings.flatMap(({ path, key, role, target, targetEnvironment }) => {
    const look = looks.get(targetId(targetEnvironment, target));
    const users = look?.error === null ? (look.users ?? []) : [];
    const takers = users.filter((user) => user.keys.includes(key) && !bound.has(user.locationKey));
    if (takers.length === 0) return [];
    const names = takers.map(({ name }) => visibleLine(name)).join(", ");
    const asBoth = role === "verifier" ? ", with `role: both` at this binding" : "";
    return [
      {
        path,
        message: `is also taken from there by ${names}, by a reference: a running process there keeps the old value until its own next deployment`,
        remedy: `Say \`redeployReferring: true\` at ${target}${asBoth}, or deploy ${names} by hand when a rotation waits for it.`,
      },
    ];
  });
}
