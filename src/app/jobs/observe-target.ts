/** The job `look`: observes one target for the gates of the rollouts that move its secrets. */

import { observeReports } from "../agents/reports/observe-reports.ts";
import type { AppContext } from "../base/context.ts";
import { observeDirectly } from "../observe/observe-directly.ts";
import { kindOf } from "../targets/open-target.ts";

/** Nothing where the target is gone. Throws what a key ring or a value store says that is away. */
export async function observeTarget(
  context: AppContext,
  targetId: string,
  signal: AbortSignal,
): Promise<void> {
  const target = await context.store.read.targets.findById(targetId);
  if (target === null) return;
  const observe = kindOf(context, target.kind).delivery === "agent" ? observeReports : observeDirectly;
  await observe(context, target, signal);
}
