/** A new version for people: what happens next, and how to look. */
import type { IntroducedAnswer } from "../../../protocol/api-secrets.ts";
import type { Output } from "../output.ts";

export function showIntroduced(output: Output, { secret, version, rollout, joined }: IntroducedAnswer): void {
  if (rollout === null) {
    output.line(
      `${secret} is v${version}. It is not bound to any target yet: add bindings to lockstep.yaml.`,
    );
    return;
  }
  output.line(
    joined === undefined
      ? `${secret} v${version} is on its way to every bound place.`
      : `That value is already on its way, as ${secret} v${version}: nothing new was started.`,
  );
  output.line(`To check: lockstep rollout show ${rollout}`);
}
