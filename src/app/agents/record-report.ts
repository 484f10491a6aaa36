/**
 * Takes what an agent reports: how things stand there, how a push ended, what it refused. Level, not edge: a report may
 * be repeated, late or lost. An agent speaks of its own target's bindings and of orders that it was given; anything
 * else is refused, or dropped, and on record.
 */
import { isDeepStrictEqual } from "node:util";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import type { AgentRecord } from "../../core/ports/store/agents.ts";
import type { Repositories } from "../../core/ports/store/store.ts";
import { pause } from "../../lib/pause.ts";
import type { Report, ReportedItem } from "../../protocol/agent/messages.ts";
import type { AppContext } from "../context.ts";
import { observationsOf } from "../loop/record-push.ts";
import { actorOf } from "./confirm-agent.ts";
import { contentOf, mergeContent, type ReportContent, storedContent } from "./report-content.ts";
import { plannedOf, settleReports } from "./settle-reports.ts";
import { takeOverNewer } from "./take-over-newer.ts";

const SETTLE_TRIES = 5;
const SETTLE_AGAIN_MS = 50;
const NEVER = new AbortController().signal;

/** Throws ORDER_REFUSED for an order that was never given. */
export async function recordReport(context: AppContext, agent: AgentRecord, report: Report): Promise<void> {
  const target = await context.store.read.targets.findById(agent.targetId);
  if (target === null) return;
  if (report.epoch !== context.epoch || report.generation > target.generation) {
    await refuse(context, agent, "reported an order that it was never given");
    throw new LockstepError(
      "ORDER_REFUSED",
      "Cannot take the report: it speaks of an order that was never given.",
    );
  }
  // A copy that was under way while a newer one arrived.
  if (agent.reportedEpoch === report.epoch && (agent.reportedGeneration ?? 0) > report.generation) return;
  const bindings = new Set((await context.store.read.targets.bindings(agent.targetId)).map(({ id }) => id));
  const own = onlyOwn(report, bindings);
  const before = contentOf(agent);
  const content = mergeContent(before, own);
  await context.store.transaction(async (tx) => {
    const { epoch, generation } = report;
    await tx.agents.recordReport(agent.id, { epoch, generation, content: storedContent(content) });
    await tx.agents.touch(agent.id, { ...report.facts });
    const live = own.seen.filter(({ version }) => version !== null);
    await tx.pushes.observe(observationsOf(live.map(plannedOf), null));
    const { copies = [], unread = [], shared = [] } = own.copies ?? {};
    await tx.checks.recordCopies(agent.targetId, { copies, unread, shared });
    await tellRefusals(tx, agent, before, own);
    if (target.gaveUpAt !== null && target.errorCode === "POLICY_REFUSED" && report.refused.length === 0) {
      // The machine's owner has allowed it meanwhile.
      await tx.targets.resume([target.id]);
    }
  });
  await settleOnceFree(context, agent.targetId);
  await takeOverNewer(context, agent, report.newer ?? []);
}

/** A worker may be at the same target for a moment. What was reported is on record, and the agent has nothing to repeat. */
async function settleOnceFree(context: AppContext, targetId: string): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      await settleReports(context, targetId);
      return;
    } catch (error) {
      if (toLockstepError(error).code !== "LEASE_LOST" || tries === SETTLE_TRIES) throw error;
      await pause(SETTLE_AGAIN_MS * tries, NEVER);
    }
  }
}

/** What names another target's binding is dropped: whoever holds this identity learns and changes nothing there. */
function onlyOwn(report: Report, bindings: ReadonlySet<string>): Report {
  const isOwn = ({ bindingId, version }: ReportedItem): boolean =>
    bindings.has(bindingId) || version === null;
  const { push, seen, answers = [], copies } = report;
  return {
    ...report,
    answers: answers.filter(({ bindingId }) => bindings.has(bindingId)),
    ...(copies === undefined
      ? {}
      : { copies: { ...copies, copies: copies.copies.filter(({ bindingId }) => bindings.has(bindingId)) } }),
    seen: seen.filter((item) => bindings.has(item.bindingId)),
    push: push === null ? null : { ...push, before: push.before.filter(isOwn) },
  };
}

async function tellRefusals(
  tx: Repositories,
  agent: AgentRecord,
  before: ReportContent | null,
  { refused, incidents }: Report,
): Promise<void> {
  const told = isDeepStrictEqual(refused, before?.refused ?? []) ? [] : refused.map(({ what }) => what);
  const codes = incidents.map(({ code, message }) => `${code}: ${message}`);
  if (told.length === 0 && codes.length === 0) return;
  await tx.audit.append({
    action: "agent.refused",
    actor: actorOf(agent),
    subject: { kind: "target", id: agent.targetId, name: agent.target },
    details: { agent: agent.id, refused: told, incidents: codes },
  });
}

function refuse(context: AppContext, agent: AgentRecord, why: string): Promise<void> {
  return context.store.transaction((tx) =>
    tx.audit.append({
      action: "agent.refused",
      actor: actorOf(agent),
      subject: { kind: "target", id: agent.targetId, name: agent.target },
      details: { agent: agent.id, refused: [why], incidents: [] },
    }),
  );
}
