/** Agents in words. What a machine says of itself is told as that; its key is what a person compares. */
import { visibleLine } from "../../lib/visible-text.ts";
import type { NamedAgent } from "../../protocol/api-agents.ts";

export function machineText({ hostname, keyFingerprint, enrolledFrom }: NamedAgent): string {
  const from = enrolledFrom === null ? "" : `, from ${visibleLine(enrolledFrom)}`;
  return `a machine that calls itself "${visibleLine(hostname)}", key ${keyFingerprint}${from}`;
}

/** Of an enrolment that was not confirmed. */
export function begunText(agent: NamedAgent): string {
  const until = agent.confirmUntil === null ? "" : `, ends ${agent.confirmUntil}`;
  return `${agent.target}: ${machineText(agent)}, begun ${agent.createdAt}${until}`;
}
