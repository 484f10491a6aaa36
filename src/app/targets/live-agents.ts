/** Which agents speak for a target now. */
import type { AgentRecord } from "../../core/store/agents.ts";
import { POLL_MS } from "../../protocol/agent/paths.ts";
import type { AppContext } from "../base/context.ts";

/** An agent asks every minute; after three that did not come it is away. */
export const SILENT_MS = 3 * POLL_MS;

export function isSilent(agent: AgentRecord, now: Date): boolean {
  return agent.lastSeenAt === null || now.getTime() - agent.lastSeenAt.getTime() > SILENT_MS;
}

/**
 * The lasting agent, away or not: what it holds counts until it comes back. Of short-lived ones those that are there:
 * a container that is gone holds nothing.
 */
export async function speakingAgents(context: AppContext, targetId: string): Promise<readonly AgentRecord[]> {
  const now = context.clock.now();
  const agents = await context.store.read.agents.activeAt([targetId]);
  return agents.filter((agent) => !agent.shortLived || !isSilent(agent, now));
}
