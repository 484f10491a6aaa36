/**
 * Takes what an agent reports: how things stand there, how a push ended, what it refused. Level, not edge: a report may
 * be repeated, late or lost. An agent speaks of its own target's bindings and of orders that it was given; anything
 * else is refused, or dropped, and on record. It is heard one report at a time, and each replaces the one before.
 *
 *   claim       one report of an agent at a time, here and at other servers
 *   judge       its order: one that was never given is refused, one that only a lost life of this store gave freezes it
 *   bound       what is not its target's is left out
 *   record      the report replaces the one before: one transaction, with what was found and refused
 *   apply       the push ends, bindings settle, units stand (apply-reports.ts); then follow-ups are dispatched
 *   newer       a value that its authority has changed becomes a version
 *   answer      204, whatever the services on the way answer: nobody is probed for it
 *
 * What dies in between costs nothing: the agent reports again, and a report that is on record is applied by the worker.
 */
import { LockstepError, toLockstepError } from "../../../core/errors.ts";
import type { AgentRecord } from "../../../core/store/agents.ts";
import type { AuditEntry } from "../../../core/store/audit.ts";
import type { Repositories } from "../../../core/store/store.ts";
import { pause } from "../../../lib/pause.ts";
import type { Report } from "../../../protocol/agent/messages.ts";
import type { AppContext } from "../../base/context.ts";
import { observationsOf } from "../../observe/observations.ts";
import { contentOf, mergeContent, storedContent, type Untold } from "../../targets/report-content.ts";
import { actorOf } from "../enrolment/confirm-agent.ts";
import { acceptNewer } from "./accept-newer.ts";
import { applyReports, plannedOf } from "./apply-reports.ts";
import { boundReport } from "./bound-report.ts";
import { judgeReportedOrder, neverGiven } from "./judge-reported-order.ts";

const APPLY_TRIES = 5;
const APPLY_AGAIN_MS = 50;
const NEVER = new AbortController().signal;

/** Longer than an agent waits for its answer. A server that died holds its agent up no longer. */
const IN_FLIGHT_MS = 30_000;
const AGAIN_MS = 1_000;

/**
 * Throws ORDER_REFUSED for an order that was never given, STORE_SET_BACK for one that a lost life of this store gave, and
 * TOO_MANY_REQUESTS while another report of this agent is being taken, here or by another server.
 */
export async function recordReport(context: AppContext, agent: AgentRecord, report: Report): Promise<void> {
  const { store } = context;
  const claim = await store.transaction((tx) => tx.agents.claimReport(agent.id, IN_FLIGHT_MS));
  if (claim === null) {
    throw new LockstepError("TOO_MANY_REQUESTS", "Cannot take the report: another one is being taken.", {
      retryAfterMs: AGAIN_MS,
    });
  }
  try {
    // As it is behind the claim: another report may have been taken since the request was looked at.
    const now = await store.read.agents.find(agent.id);
    if (now !== null) await record(context, now, report);
  } finally {
    await store.transaction((tx) => tx.agents.releaseReport(agent.id, claim));
  }
}

async function record(context: AppContext, agent: AgentRecord, told: Report): Promise<void> {
  const { read } = context.store;
  const target = await read.targets.findById(agent.targetId);
  if (target === null) return;
  const { epoch, generation, orderDigest: digest = null } = told;
  // It has not heard of the new epoch yet, and tells again once it has.
  if (epoch < target.epoch) return;
  try {
    await judgeReportedOrder(context, target, { storeId: context.storeId, epoch, generation, digest });
    if (epoch > target.epoch || generation > target.generation) throw neverGiven();
  } catch (error) {
    if (toLockstepError(error).code === "ORDER_REFUSED")
      await refuse(context, agent, "reported an order that it was never given");
    throw error;
  }
  // A copy that was under way while a newer one arrived.
  if (agent.reportedEpoch === told.epoch && (agent.reportedGeneration ?? 0) > told.generation) return;
  const { report, strange } = boundReport(await ofOwnPush(context, told, target.id), {
    target,
    bindings: await read.targets.bindings(target.id),
    prunable: await read.targets.prunable(target.id),
  });
  const before = contentOf(agent);
  const merged = mergeContent(before, report, strange);
  await context.store.transaction(async (tx) => {
    // First, because it locks the target's row: several containers of one target take turns.
    const { copies = [], unread = [], shared = [] } = report.copies ?? {};
    await tx.checks.recordCopies(target.id, { copies, unread, shared });
    const content = { ...merged, untold: await tellRefusals(tx, agent, merged.untold) };
    await tx.agents.recordReport(agent.id, { epoch, generation, content: storedContent(content) });
    await tx.agents.touch(agent.id, { ...report.facts });
    const live = report.seen.filter(({ version }) => version !== null);
    await tx.pushes.observe(observationsOf(live.map(plannedOf), null));
    if (target.gaveUpAt !== null && target.errorCode === "POLICY_REFUSED" && report.refused.length === 0) {
      // The machine's owner has allowed it meanwhile.
      await tx.targets.resume([target.id]);
    }
  });
  await applyOnceFree(context, target.id);
  // A store that was set back takes nothing over.
  if ((await read.meta.setBack()) === null) await acceptNewer(context, agent, report.newer ?? []);
}

/** Of another target's push this agent has nothing to say. */
async function ofOwnPush(context: AppContext, report: Report, targetId: string): Promise<Report> {
  if (report.push === null) return report;
  const isOwn = await context.store.read.pushes.isAt(report.push.pushId, targetId);
  return isOwn ? report : { ...report, push: null };
}

/** A worker may be at the same target for a moment. What was reported is on record, and the agent has nothing to repeat. */
async function applyOnceFree(context: AppContext, targetId: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await applyReports(context, targetId);
      return;
    } catch (error) {
      if (toLockstepError(error).code !== "LEASE_LOST" || tries === APPLY_TRIES) throw error;
      await pause(APPLY_AGAIN_MS * tries, NEVER);
    }
  }
}

/** Answers what waits for the next turn: whoever changes its words all the time does not fill the record. */
async function tellRefusals(tx: Repositories, agent: AgentRecord, untold: Untold): Promise<Untold> {
  const { refused, incidents } = untold;
  if (refused.length === 0 && incidents.length === 0) return untold;
  if (!(await tx.agents.takeAuditTurn(agent.id))) return untold;
  await tx.audit.append(refusal(agent, refused, incidents));
  return { refused: [], incidents: [] };
}

function refuse(context: AppContext, agent: AgentRecord, why: string): Promise<void> {
  return context.store.transaction(async (tx) => {
    if (await tx.agents.takeAuditTurn(agent.id)) await tx.audit.append(refusal(agent, [why], []));
  });
}

function refusal(agent: AgentRecord, refused: readonly string[], incidents: readonly string[]): AuditEntry {
  return {
    action: "agent.refused",
    actor: actorOf(agent),
    subject: { kind: "target", id: agent.targetId, name: agent.target },
    details: { agent: agent.id, refused: [...refused], incidents: [...incidents] },
  };
}
