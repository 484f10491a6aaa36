/**
 * What a target's agents have reported, made into what the loop knows: the push ends, bindings settle, units stand, and
 * evidence rises. Level: computed from the kept reports, so it may run at any time, any number of times.
 *
 * Several containers of one target are one place: a push has ended when each that is there has reported its end, and
 * evidence is what the last of them gives.
 *
 * Reads and writes the store alone, and opens no value: it runs within the agent's request. What only a live request can
 * tell is left to the job `look` (observe-reports.ts).
 */
import { CATALOGUE } from "../../../core/error-catalogue.ts";
import { type ErrorCode, LockstepError } from "../../../core/errors.ts";
import { addressText, type Found, type PlannedItem } from "../../../core/reconcile/plan-change.ts";
import { SLOTS } from "../../../core/secret.ts";
import type { SecretValue } from "../../../core/secret-value.ts";
import type { OpenPush } from "../../../core/store/pushes.ts";
import type { LoopBinding } from "../../../core/store/targets.ts";
import type { ReportedItem } from "../../../protocol/agent/messages.ts";
import type { AppContext } from "../../base/context.ts";
import { dispatch } from "../../base/transaction.ts";
import { pushItems } from "../../push/record-intent.ts";
import { recordFailedPush, recordSettled } from "../../push/record-push.ts";
import { SILENT_MS } from "../../targets/live-agents.ts";
import { type AgentReport, lastReports } from "./agent-report.ts";
import { recordUnits } from "./record-units.ts";

export async function applyReports(context: AppContext, targetId: string): Promise<void> {
  const { read } = context.store;
  const reports = await lastReports(context, targetId);
  if (reports.length === 0) return;
  const push = (await read.pushes.open(targetId)).at(-1);
  if (push !== undefined && reports.every(({ content }) => content.push?.pushId === push.id)) {
    await endPush(context, targetId, push, reports);
  }
  const target = await read.targets.findById(targetId);
  if (target === null) return;
  await recordUnits(context, target, reports);
  const unobserved = await read.targets.unobserved({ targetId, silentMs: SILENT_MS, limit: 1 });
  // Rollouts advance once it is observed: before that they would only request another report.
  await dispatch(context, (next) =>
    unobserved.length > 0 ? next.look(unobserved) : next.changed([targetId]),
  );
}

async function endPush(
  context: AppContext,
  targetId: string,
  push: OpenPush,
  reports: readonly AgentReport[],
): Promise<void> {
  const owner = `agent:${reports[0]?.agent.id}`;
  const lease = await context.store.transaction((tx) =>
    tx.targets.leaseForAgent(targetId, owner, context.timing.leaseMs),
  );
  if (lease === null) return;
  const { targets } = context.store.read;
  const bindings = await targets.bindings(targetId);
  // Newer intent may have come since: then this settles what was given, and the target stays owed.
  const target = { ...lease.target, generation: push.generation };
  const pruned = (await targets.prunable(targetId)).map((key) => ({ ...key, known: NO_VALUES }));
  const worked = { lease: { ...lease, target }, desired: { slots: [], pruned, bindings } };
  const settledAt = settledVersions(bindings);
  const planned = reports
    .flatMap(({ content }) => content.push?.before ?? [])
    .map(plannedOf)
    .map((item) => asGiven(item, settledAt.get(addressText(item)) ?? null));
  const seen = reports.flatMap(({ content }) => content.seen).map(plannedOf);
  const failure = failureOf(reports);
  await context.store.transaction((tx) => tx.pushes.replaceItems(push.id, distinct(pushItems(planned))));
  if (failure === null || KEPT_BACK.has(failure.code)) {
    await recordSettled(context, worked, { pushId: push.id, planned, seen, failure });
  } else {
    await recordFailedPush(context, worked, push.id, failure);
  }
}

/** The agent has compared values; here versions are enough. */
const NO_VALUES: ReadonlyMap<number, SecretValue> = new Map();

function settledVersions(bindings: readonly LoopBinding[]): ReadonlyMap<string, number> {
  return new Map(
    bindings.flatMap(({ placement, key, fallbackKey, settled }) =>
      SLOTS.flatMap((slot): [string, number][] => {
        const version = settled[slot];
        const address = { placement, key: slot === "primary" ? key : fallbackKey };
        return version === undefined ? [] : [[addressText(address), version]];
      }),
    ),
  );
}

/** A part was held back, and the rest stands: what was reached counts. */
const KEPT_BACK: ReadonlySet<string> = new Set(["FOREIGN_VALUE", "POLICY_REFUSED"]);

/** What goes into a process's environment is given with its start: it was not there before, whatever was staged. */
function asGiven(item: PlannedItem, settled: number | null): PlannedItem {
  if (item.placement !== "" || item.action !== "unchanged") return item;
  const found: Found = settled === null ? { kind: "absent" } : { kind: "version", version: settled };
  return { ...item, action: "set", found };
}

function failureOf(reports: readonly AgentReport[]): LockstepError | null {
  for (const { content } of reports) {
    const { push } = content;
    if (push?.outcome !== "failed") continue;
    const { code, message } = push.error ?? { code: "INTERNAL", message: "The agent says no reason." };
    return new LockstepError(code in CATALOGUE ? (code as ErrorCode) : "INTERNAL", message);
  }
  return null;
}

/** Several containers report the same keys. */
function distinct<Item extends { readonly placement: string; readonly key: string }>(
  items: readonly Item[],
): readonly Item[] {
  return [...new Map(items.map((item) => [addressText(item), item])).values()];
}

export function plannedOf(item: ReportedItem): PlannedItem {
  return { ...item, value: null };
}
