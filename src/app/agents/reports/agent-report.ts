/** The last reports of the agents that speak for a target: several containers are one target, and count together. */
import type { AgentRecord } from "../../../core/store/agents.ts";
import type { AppContext } from "../../base/context.ts";
import { speakingAgents } from "../../targets/live-agents.ts";
import { contentOf, type ReportContent } from "../../targets/report-content.ts";

/** The last report of one agent, and whose it is. */
export interface AgentReport {
  readonly agent: AgentRecord;
  readonly content: ReportContent;
}

/** One of each agent that speaks for the target now. Empty while any of them has not reported yet. */
export async function lastReports(context: AppContext, targetId: string): Promise<readonly AgentReport[]> {
  const agents = await speakingAgents(context, targetId);
  const reports = agents.flatMap((agent): AgentReport[] => {
    const content = contentOf(agent);
    return content === null ? [] : [{ agent, content }];
  });
  return reports.length < agents.length ? [] : reports;
}
