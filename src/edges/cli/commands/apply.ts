/** `lockstep apply`: shows the plan, asks, and applies exactly what was shown. */
import { LockstepError } from "../../../core/errors.ts";
import type { CommandFunction } from "../cli.ts";
import { type ConfigOptions, readRequest, withLines } from "../config-request.ts";
import { canAsk, confirm } from "../prompt.ts";
import { type Plan, showPlan } from "../show/plan.ts";

export interface ApplyOptions extends ConfigOptions {
  readonly yes?: boolean;
}

export const run: CommandFunction<[], ApplyOptions> = async (cli, _parameters, options) => {
  const { output } = cli;
  if (options.yes !== true && !canAsk(cli)) {
    throw new LockstepError("USAGE", "Cannot apply without being asked: there is no terminal.", {
      hint: "Look with `lockstep plan`, then add --yes.",
    });
  }
  const { request, source } = await readRequest(cli, options);
  const api = await cli.api();
  const plan = await withLines(source, () => api.call("plan", { body: request }));
  if (!output.json) showPlan(output, plan, source);
  if (plan.problems.length === 0 && plan.hasChanges && options.yes !== true) {
    if (!(await confirm(cli, `Apply ${changesText(plan)}?`))) {
      output.note("Nothing was applied.");
      return 1;
    }
  }
  // Also with problems or without changes: the server's answer is the one that counts.
  const applied = await withLines(source, () =>
    api.call("apply", { body: { ...request, expectedPlanDigest: plan.digest } }),
  );
  output.answer(applied, () => {
    if (!applied.plan.hasChanges) return;
    output.line();
    output.line(
      `Applied ${changesText(applied.plan)}; ${applied.reconciling} targets are brought up to date now.`,
    );
    output.line("Look with: lockstep status");
  });
  return 0;
};

function changesText({ changes }: Plan): string {
  return changes.length === 1 ? "1 change" : `${changes.length} changes`;
}
