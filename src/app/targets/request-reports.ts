/** Somebody is waiting: the target's agents are requested to report now, instead of at their next turn. */
import { pause } from "../../lib/pause.ts";
import type { AppContext } from "../base/context.ts";
import { transact } from "../base/transaction.ts";
import { isSilent, speakingAgents } from "./live-agents.ts";
import { contentOf, requestWord } from "./report-content.ts";

const REPORTED_WITHIN_MS = 3_000;
const STEP_MS = 50;

/** Ends when all that are there have reported, or the time is over: then their last report counts, with its age. */
export async function awaitReports(
  context: AppContext,
  targetId: string,
  signal: AbortSignal,
): Promise<void> {
  if ((await awaited(context, targetId)).length === 0) return;
  await transact(context, async (tx, next) => {
    await tx.targets.requestReports([targetId]);
    next.notifyAgents([targetId]);
  });
  const requested = await context.store.read.targets.findById(targetId);
  const word = requested === null ? null : requestWord(requested);
  const until = performance.now() + REPORTED_WITHIN_MS;
  while (!signal.aborted && performance.now() < until) {
    const agents = await awaited(context, targetId);
    if (agents.every((agent) => Number(contentOf(agent)?.look ?? 0) >= Number(word))) return;
    await pause(STEP_MS, signal);
  }
}

async function awaited(context: AppContext, targetId: string) {
  const now = context.clock.now();
  return (await speakingAgents(context, targetId)).filter((agent) => !isSilent(agent, now));
}
