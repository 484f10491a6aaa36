/** What a finding is about where it is a place as a whole. Pure. */
import type { TargetFacts } from "./facts.ts";
import type { Finding } from "./finding.ts";

type About = Pick<Finding, "secret" | "target" | "key" | "placement" | "environment">;

export function aboutTarget(target: TargetFacts): About {
  return { secret: null, target: target.name, key: null, placement: null, environment: target.environment };
}
