/**
 * `lockstep plan`: what applying lockstep.yaml would change. Exits with 2 when it has changes, 0 without. Safe with a
 * file that a stranger proposed: nothing of its reader's environment and files leaves for an address that is new.
 */
import type { CommandFunction } from "../cli.ts";
import { type ConfigOptions, readPlanRequest, withLines } from "../config-request.ts";
import { showPlan } from "../show/plan.ts";

const EXIT_CHANGES = 2;

export const run: CommandFunction<[], ConfigOptions> = async (cli, _parameters, options) => {
  const planned = await readPlanRequest(cli, options, { lenient: true });
  const { request, source } = planned;
  const api = await cli.api();
  const plan = await cli.output.while("Checking the places", () =>
    withLines(source, () => api.call("plan", { body: request })),
  );
  cli.output.answer(plan, () => showPlan(cli.output, plan, planned));
  if (plan.problems.length > 0) return 1;
  return plan.hasChanges ? EXIT_CHANGES : 0;
};
