/** A machine with an agent as a target: what stands there is what its agent reported last. Nothing is written to it. */
import { LockstepError } from "../../core/errors.ts";
import { failedCheck } from "../../core/failed-check.ts";
import type { Address, Observed, ObservedKey } from "../../core/ports/place.ts";
import type { ProbeCheck, ProbeResult, Target, TargetObservation } from "../../core/ports/target.ts";
import { addressText } from "../../core/reconcile/plan-change.ts";
import type { AgentRecord } from "../../core/store/agents.ts";
import { durationText } from "../../lib/age.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import type { ReportedItem } from "../../protocol/agent/messages.ts";
import type { AppContext } from "../base/context.ts";
import { isSilent, speakingAgents } from "./live-agents.ts";
import { contentOf } from "./report-content.ts";
import { awaitReports } from "./request-reports.ts";

/** `id`: null before the target is stored. */
export interface ReportingTarget {
  readonly id: string | null;
  readonly name: string;
}

/** `isAwaited`: somebody waits for what it observes, so its agents are asked to look first. */
export function agentTarget(
  context: AppContext,
  target: ReportingTarget,
  { isAwaited = false }: { readonly isAwaited?: boolean } = {},
): Target {
  return {
    probe: () => probeAgents(context, target),
    async observe(addresses, signal) {
      if (isAwaited && target.id !== null) await awaitReports(context, target.id, signal);
      return await observeReported(context, target, addresses);
    },
    async apply() {
      throw new LockstepError("UNSUPPORTED", `Only its agent writes to target "${target.name}".`);
    },
    activator: null,
    close: async () => {},
  };
}

/** Throws AGENT_NOT_ENROLLED, and TARGET_UNREACHABLE when the agent has been silent for too long to speak for now. */
async function observeReported(
  context: AppContext,
  target: ReportingTarget,
  addresses: readonly Address[],
): Promise<TargetObservation> {
  const agents = await speakersOf(context, target);
  const now = context.clock.now();
  const heard = agents.filter((agent) => !isSilent(agent, now));
  if (heard.length === 0) throw silent(target.name, agents, now);
  const seen = heard.map(
    (agent) => new Map((contentOf(agent)?.seen ?? []).map((item) => [addressText(item), item] as const)),
  );
  const keys = addresses.map(({ placement, key }): ObservedKey => {
    const items = seen.map((items) => items.get(addressText({ placement, key })));
    return { placement, key, observed: together(items) };
  });
  return { keys, orders: [], units: [], isReported: true };
}

/** Asks nobody: says how its agents stand. */
async function probeAgents(context: AppContext, target: ReportingTarget): Promise<ProbeResult> {
  try {
    const agents = await speakersOf(context, target);
    const wanted = target.id === null ? null : await context.store.read.targets.findById(target.id);
    const now = context.clock.now();
    const checks = agents.flatMap((agent) => checksOf(agent, target.name, wanted?.generation ?? null, now));
    return { ok: checks.every(({ ok }) => ok), checks };
  } catch (error) {
    return { ok: false, checks: [failedCheck("agent", error)] };
  }
}

function checksOf(agent: AgentRecord, name: string, wanted: number | null, now: Date): readonly ProbeCheck[] {
  const away = isSilent(agent, now);
  const isCurrent = agent.reportedGeneration === wanted;
  return [
    {
      name: "agent",
      ok: !away,
      message: away
        ? silent(name, [agent], now).message
        : `an agent on ${String(agent.facts["hostname"])} asks and reports`,
    },
    {
      name: "report",
      ok: isCurrent,
      message: isCurrent
        ? "it has reported on what is wanted now"
        : "it has not reported yet on what is wanted now",
    },
    ...(contentOf(agent)?.refused ?? []).map(({ what, reason }) => ({
      name: "policy",
      ok: false,
      message: `${what}: ${reason}; on the machine \`lockstep agent policy\` prints what its owner may add`,
    })),
  ];
}

async function speakersOf(context: AppContext, { id, name }: ReportingTarget) {
  const agents = id === null ? [] : await speakingAgents(context, id);
  if (agents.length > 0) return agents;
  throw notEnrolled(name);
}

export function notEnrolled(name: string): LockstepError {
  return new LockstepError("AGENT_NOT_ENROLLED", `No agent speaks for target "${name}".`, {
    hint: `Here: \`${shellCommand(["lockstep", "agent", "invite", name])}\`; on the machine: \`lockstep agent enroll\`.`,
  });
}

export function silent(name: string, agents: readonly AgentRecord[], now: Date): LockstepError {
  const last = Math.max(...agents.map(({ lastSeenAt }) => lastSeenAt?.getTime() ?? 0));
  const since =
    last === 0 ? "has not been heard of yet" : `was last heard of ${ago(now.getTime() - last)} ago`;
  return new LockstepError("TARGET_UNREACHABLE", `The agent of target "${name}" ${since}.`, {
    hint: "On the machine: `lockstep agent status` tells why.",
  });
}

function ago(ms: number): string {
  return durationText(Math.max(1_000, ms));
}

/** Several containers are one place: it is right where all of them are. */
function together(items: readonly (ReportedItem | undefined)[]): Observed {
  const all = items.map(observedOf);
  const worst = all.find(({ state }) => state !== "recognised");
  if (worst !== undefined) return worst;
  const versions = all.flatMap((one) => (one.state === "recognised" ? [one.version] : []));
  return { state: "recognised", version: Math.min(...versions) };
}

function observedOf(item: ReportedItem | undefined): Observed {
  if (item === undefined)
    return { state: "unreadable", reason: "its agent has not told yet; it compares once there is a value" };
  const { found } = item;
  switch (found.kind) {
    case "version":
      return { state: "recognised", version: found.version };
    case "unknown":
      return { state: "unrecognised", ...(found.nearly === undefined ? {} : { nearly: found.nearly }) };
    case "absent":
      return { state: "absent" };
    case "unreadable":
      return { state: "unreadable", reason: found.reason };
  }
}
