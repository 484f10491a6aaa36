/**
 * A worker's part in an agent's target that is owed: tell the agent, and look again later. The agent is the writer; what
 * is missing meanwhile (an agent, its voice) is said where people look for why nothing moves.
 */
import { type LockstepError, toLockstepError } from "../../core/errors.ts";
import type { Lease } from "../../core/store/targets.ts";
import { POLL_MS } from "../../protocol/agent/paths.ts";
import type { AppContext } from "../base/context.ts";
import { notEnrolled, silent } from "../targets/agent-target.ts";
import { isSilent, speakingAgents } from "../targets/live-agents.ts";
import { applyReports } from "./reports/apply-reports.ts";

export async function reconcileAgents(context: AppContext, { target, token }: Lease): Promise<void> {
  context.agentNotifier.notify([target.id]);
  const why = await whyNot(context, target);
  // A failed push's own words stay until the next one: they say more.
  const kept = why ?? lastFailure(target);
  try {
    await context.store.transaction((tx) =>
      tx.targets.settle(target.id, token, {
        generation: null,
        attempts: target.attempts,
        nextActionInMs: POLL_MS,
        gaveUp: false,
        error: kept,
        inFlight: "as-is",
      }),
    );
  } catch (error) {
    // An agent's report came in between, which settles more than this.
    if (toLockstepError(error).code !== "LEASE_LOST") throw error;
  }
  // A container that was waited for may be gone.
  await applyReports(context, target.id);
}

async function whyNot(context: AppContext, target: Lease["target"]): Promise<LockstepError | null> {
  const agents = await speakingAgents(context, target.id);
  if (agents.length === 0) return notEnrolled(target.name);
  const now = context.clock.now();
  return agents.some((agent) => !isSilent(agent, now)) ? null : silent(target.name, agents, now);
}

function lastFailure({ attempts, errorCode, errorMessage }: Lease["target"]) {
  if (attempts === 0 || errorCode === null) return null;
  return { code: errorCode, message: errorMessage ?? "" };
}
