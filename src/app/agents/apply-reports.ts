/**
 * What a target's agents have reported, made into what the loop knows: the push ends, bindings settle, units stand, and
 * evidence rises. Level: computed from the kept reports, so it may run at any time, any number of times.
 *
 * Several containers of one target are one place: a push has ended when each that is there has told its end, and
 * evidence is what the last of them gives.
 */
import { CATALOGUE } from "../../core/error-catalogue.ts";
import { type ErrorCode, LockstepError } from "../../core/errors.ts";
import { addressText, type Found, type PlannedItem } from "../../core/reconcile/plan-change.ts";
import type { AgentRecord } from "../../core/store/agents.ts";
import type { OpenPush } from "../../core/store/pushes.ts";
import type { ReportedItem } from "../../protocol/agent/messages.ts";
import type { AppContext } from "../base/context.ts";
import { dispatch } from "../base/transaction.ts";
import { loadDesired } from "../desired/desired.ts";
import { pushItems } from "../push/record-intent.ts";
import { recordFailedPush, recordSettled } from "../push/record-push.ts";
import { speakingAgents } from "../targets/live-agents.ts";
import { contentOf, type ReportContent } from "../targets/report-content.ts";
import { observeReports } from "./observe-reports.ts";
import { recordUnits } from "./record-units.ts";

export interface AgentReport {
  readonly agent: AgentRecord;
  readonly content: ReportContent;
}

export async function applyReports(context: AppContext, targetId: string): Promise<void> {
  const agents = await speakingAgents(context, targetId);
  const told = agents.flatMap((agent): AgentReport[] => {
    const content = contentOf(agent);
    return content === null ? [] : [{ agent, content }];
  });
  if (told.length === 0 || told.length < agents.length) return;
  const push = (await context.store.read.pushes.open(targetId)).at(-1);
  if (push !== undefined && told.every(({ content }) => content.push?.pushId === push.id)) {
    await endPush(context, targetId, push, told);
  }
  const target = await context.store.read.targets.findById(targetId);
  if (target === null) return;
  await recordUnits(context, target, told);
  await observeReports(context, target, told);
  await dispatch(context, (next) => next.changed([targetId]));
}

async function endPush(
  context: AppContext,
  targetId: string,
  push: OpenPush,
  told: readonly AgentReport[],
): Promise<void> {
  const owner = `agent:${told[0]?.agent.id}`;
  const lease = await context.store.transaction((tx) =>
    tx.targets.leaseForAgent(targetId, owner, context.timing.leaseMs),
  );
  if (lease === null) return;
  // Newer intent may have come since: then this settles what was given, and the target stays owed.
  const target = { ...lease.target, generation: push.generation };
  const desired = await loadDesired(context, targetId);
  const run = { lease: { ...lease, target }, desired };
  const settledAt = new Map(desired.slots.map((slot) => [addressText(slot), slot.settledVersion]));
  const planned = told
    .flatMap(({ content }) => content.push?.before ?? [])
    .map(plannedOf)
    .map((item) => asGiven(item, settledAt.get(addressText(item)) ?? null));
  const seen = told.flatMap(({ content }) => content.seen).map(plannedOf);
  const failure = failureOf(told);
  await context.store.transaction((tx) => tx.pushes.replaceItems(push.id, distinct(pushItems(planned))));
  if (failure === null || KEPT_BACK.has(failure.code)) {
    await recordSettled(context, run, { pushId: push.id, planned, seen, failure });
  } else {
    await recordFailedPush(context, run, push.id, failure);
  }
}

/** A part was held back, and the rest stands: what was reached counts. */
const KEPT_BACK: ReadonlySet<string> = new Set(["FOREIGN_VALUE", "POLICY_REFUSED"]);

/** What goes into a process's environment is given with its start: it was not there before, whatever was staged. */
function asGiven(item: PlannedItem, settled: number | null): PlannedItem {
  if (item.placement !== "" || item.action !== "unchanged") return item;
  const found: Found = settled === null ? { kind: "absent" } : { kind: "version", version: settled };
  return { ...item, action: "set", found };
}

function failureOf(told: readonly AgentReport[]): LockstepError | null {
  for (const { content } of told) {
    const { push } = content;
    if (push?.outcome !== "failed") continue;
    const { code, message } = push.error ?? { code: "INTERNAL", message: "The agent says no reason." };
    return new LockstepError(code in CATALOGUE ? (code as ErrorCode) : "INTERNAL", message);
  }
  return null;
}

/** Several containers tell the same keys. */
function distinct<Item extends { readonly placement: string; readonly key: string }>(
  items: readonly Item[],
): readonly Item[] {
  return [...new Map(items.map((item) => [addressText(item), item])).values()];
}

export function plannedOf(item: ReportedItem): PlannedItem {
  return { ...item, value: null };
}
