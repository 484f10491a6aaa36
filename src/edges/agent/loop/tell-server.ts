/** Sends how things stand, and writes down what the server has taken. What is not taken is told again. */
import { isDeepStrictEqual } from "node:util";
import type { Bundle, Report } from "../../../protocol/agent/messages.ts";
import type { Allowed } from "../apply/allowed.ts";
import { makeReport } from "../apply/make-report.ts";
import type { AgentContext } from "../context.ts";

/** True when it has news against what was last taken, incidents and an ended push included. */
export function hasNews(report: Report, taken: Report | null): boolean {
  if (taken === null || report.push !== null || report.incidents.length > 0) return true;
  return !isDeepStrictEqual({ ...report, facts: null }, { ...taken, facts: null });
}

/** Throws what the client throws; then nothing is written down. */
export async function tellServer(
  context: AgentContext,
  bundle: Bundle,
  allowed: Allowed,
  signal: AbortSignal,
): Promise<Report> {
  const { client, records } = context;
  const report = makeReport(context, bundle, allowed);
  await client.report(report, signal);
  await context.checkpoint("reported");
  const { push, incidents } = records.now;
  const isClosed = report.push !== null && push?.pushId === report.push.pushId;
  const { epoch, generation, digest } = report;
  await records.update({
    reported: { epoch, generation, digest },
    // What came meanwhile stays for the next one.
    incidents: incidents.slice(report.incidents.length),
    ...(isClosed ? { push: null, closedPushId: push.pushId } : {}),
    lastContactAt: new Date(context.nowMs()).toISOString(),
    lastFailure: null,
  });
  return { ...report, push: null, incidents: [] };
}
