/** `lockstep apply`: shows the plan, asks, and applies exactly what was shown. */
import { LockstepError } from "../../../core/errors.ts";
import type { Operations } from "../../../protocol/api.ts";
import type { AnswerOf } from "../../../protocol/api-operation.ts";
import type { Cli, CommandFunction } from "../cli.ts";
import type { ApiClient } from "../client.ts";
import { type ConfigOptions, readPlanRequest, withEverything, withLines } from "../config-request.ts";
import { EXIT_CANNOT_TELL, followTargets } from "../follow.ts";
import { canAsk, confirm } from "../prompt.ts";
import { type Plan, showPlan } from "../show/plan.ts";

export interface ApplyOptions extends ConfigOptions {
  readonly yes?: boolean;
  readonly wait?: boolean;
  /** In ms. */
  readonly timeout?: number;
}

/** Looks at the plan while Lockstep works at the places. */
const MAX_TRIES = 4;

export const run: CommandFunction<[], ApplyOptions> = async (cli, _parameters, options) => {
  const { output } = cli;
  if (options.yes !== true && !canAsk(cli)) {
    throw new LockstepError("USAGE", "Cannot ask for confirmation: there is no terminal.", {
      hint: "Check with `lockstep plan`, then add --yes.",
    });
  }
  const planned = await readPlanRequest(cli, options, { lenient: false });
  const { request, source } = planned;
  // Read before anybody is asked, so that what is missing is told now; sent when it was agreed to.
  const everything = await withEverything(source, request);
  const api = await cli.api();
  const plan = await output.while("Checking the places", () =>
    withLines(source, () => api.call("plan", { body: request })),
  );
  if (!output.json) showPlan(output, plan, planned);
  if (plan.problems.length === 0 && plan.hasChanges && options.yes !== true) {
    if (!(await confirm(cli, `Apply ${changesText(plan)}?`))) {
      output.note("Nothing was applied.");
      return 1;
    }
  }
  // Also with problems or without changes: the server's answer is the one that counts.
  const applied = await output.while("Applying", () =>
    agreed(plan, {
      apply: ({ digest }) =>
        withLines(source, () => api.call("apply", { body: { ...everything, expectedPlanDigest: digest } })),
      look: () => withLines(source, () => api.call("plan", { body: request })),
    }),
  );
  if (options.wait === true)
    return waitFor(cli, api, applied, { ...options, environments: Object.keys(request.config.environments) });
  output.answer(applied, () => {
    if (!applied.plan.hasChanges) return;
    output.line();
    output.line(`Applied ${changesText(applied.plan)}; ${reconcilingText(applied.reconciling)} now.`);
    output.line("To check: lockstep status");
  });
  return 0;
};

/**
 * What stands at places may change between the look and the word, because Lockstep itself is bringing it there. As long as the
 * changes are those that were agreed to, that is no other plan.
 */
async function agreed<Applied>(
  plan: Plan,
  { apply, look }: { readonly apply: (plan: Plan) => Promise<Applied>; readonly look: () => Promise<Plan> },
): Promise<Applied> {
  let now = plan;
  for (let tries = 1; ; tries += 1) {
    try {
      return await apply(now);
    } catch (error) {
      if (tries >= MAX_TRIES || !(error instanceof LockstepError) || error.code !== "PLAN_CHANGED")
        throw error;
      now = await look();
      if (wordsOf(now) !== wordsOf(plan)) throw error;
    }
  }
}

/** What a person agrees to: every change, everything that is overwritten, and what forbids it. */
function wordsOf({ changes, problems }: Plan): string {
  return JSON.stringify([changes, problems]);
}

/** With --json the document also says how the targets are at the end. */
async function waitFor(
  cli: Cli,
  api: ApiClient,
  applied: AnswerOf<Operations["apply"]>,
  { timeout, environments }: ApplyOptions & { readonly environments: readonly string[] },
): Promise<number> {
  const targets = await followTargets(cli, api, environments, timeout);
  cli.output.answer({ ...applied, targets }, () => {
    cli.output.line();
    cli.output.line(`Applied ${changesText(applied.plan)}.`);
    for (const { name, state, error } of targets) {
      if (state !== "settled")
        cli.output.line(`${name} is ${state}${error === null ? "" : `: ${error.message}`}`);
    }
    if (targets.every(({ state }) => state === "settled"))
      cli.output.line("Every target holds what it should.");
  });
  if (targets.some(({ state }) => state === "gave-up")) return 1;
  return targets.some(({ state }) => state === "owed") ? EXIT_CANNOT_TELL : 0;
}

function reconcilingText(count: number): string {
  if (count === 0) return "nothing needs to be pushed";
  return count === 1 ? "1 target is brought up to date" : `${count} targets are brought up to date`;
}

function changesText({ changes }: Plan): string {
  return changes.length === 1 ? "1 change" : `${changes.length} changes`;
}
