/** A rollout for people. */
import type { RolloutSummary, RolloutView } from "../../../protocol/api-views.ts";
import type { Output, Tone } from "../output.ts";
import { bindingColumns } from "./binding-table.ts";

export function versionsText({ from, to }: Pick<RolloutSummary, "from" | "to">): string {
  return from === null ? `v${to}` : `v${from} → v${to}`;
}

export function rolloutTone(state: RolloutSummary["state"]): Tone | null {
  if (state === "done") return "good";
  if (state === "running") return "warn";
  return state === "abandoned" ? null : "bad";
}

export function showRollout(output: Output, rollout: RolloutView): void {
  output.line(
    `${rollout.secret} ${versionsText(rollout)} (${rollout.strategy}): ${rollout.state}, ${rollout.phase}`,
  );
  if (rollout.reason !== null) output.line(rollout.reason);
  output.table(
    bindingColumns(new Date(), { withSecret: false }),
    rollout.bindings.map((binding) => ({ ...binding, secret: rollout.secret, current: rollout.to })),
  );
  if (rollout.state === "stalled")
    output.line(`When it is repaired: lockstep rollout resume ${rollout.rollout}`);
}
