/** A new version for people: what happens next, and how to look. */
import type { IntroducedAnswer } from "../../../protocol/api-secrets.ts";
import type { Output } from "../output.ts";

export function showIntroduced(output: Output, { secret, version, rollout }: IntroducedAnswer): void {
  if (rollout === null) {
    output.line(`${secret} is v${version}. It is bound nowhere yet: add bindings to lockstep.yaml.`);
    return;
  }
  output.line(`${secret} v${version} is on its way to every place that is bound.`);
  output.line(`Look with: lockstep rollout show ${rollout}`);
}
