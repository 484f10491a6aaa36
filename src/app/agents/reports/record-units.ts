/**
 * How the units stand that a target's agents restart, and what that proves. `running` where the agent itself started the
 * process with these very values; `deployed` where it restarted a unit afterwards.
 */
import { isAtLeast } from "../../../core/evidence.ts";
import { AGENT_UNIT, agentUnit, type ReportedActivation } from "../../../core/store/activations.ts";
import type { Repositories } from "../../../core/store/store.ts";
import type { TargetRecord } from "../../../core/store/targets.ts";
import { groupBy } from "../../../lib/group-by.ts";
import type { ReportedUnit } from "../../../protocol/agent/messages.ts";
import type { AppContext } from "../../base/context.ts";
import { kindOf } from "../../targets/open-target.ts";
import { actorOf } from "../enrolment/confirm-agent.ts";
import type { AgentReport } from "./agent-report.ts";
import { unitsOf } from "./bound-report.ts";

/** The worst counts, where several containers run the same. */
const WORST_FIRST = ["blocked", "failed", "requested", "dormant", "succeeded"] as const;

export async function recordUnits(
  context: AppContext,
  target: TargetRecord,
  reports: readonly AgentReport[],
): Promise<void> {
  const { id: targetId } = target;
  const [first] = reports;
  if (first === undefined) return;
  const possible = unitsOf(target);
  // After a signal, or a command that nothing checks, the agent has only seen that it was asked.
  const showsUse = isAtLeast(
    kindOf(context, target.kind).capabilities(target.config).maxEvidence,
    "deployed",
  );
  // What was kept before the configuration changed may name another one.
  const units = worstOf(reports).filter(({ key }) => possible.has(key));
  const ended = await context.store.transaction(async (tx) => {
    await tx.activations.keepReported(
      targetId,
      [...possible].map((key) => agentUnit(targetId, key, key).key),
    );
    const changed: ReportedUnit[] = [];
    for (const unit of units) {
      if (!(await tx.activations.report(activationOf(targetId, first, unit)))) continue;
      changed.push(unit);
      await recordEnd(tx, first, unit);
    }
    const proven = units.filter((unit) => isRunning(unit, reports) && (unit.isOwnChild || showsUse));
    if (proven.length === 0) return changed;
    const bindings = await provenBindings(tx, targetId, reports);
    const isChild = proven.some(({ isOwnChild }) => isOwnChild);
    await tx.targets.raiseReported(bindings.all, "deployed");
    if (isChild) await tx.targets.raiseReported(bindings.inEnvironment, "running");
    const pushes = reports.flatMap(({ content }) => content.push?.pushId ?? []);
    await tx.pushes.raiseEvidence(
      pushes,
      isChild && bindings.inEnvironment.length > 0 ? "running" : "deployed",
    );
    return changed;
  });
  for (const { state } of ended) {
    if (state !== "requested" && state !== "dormant")
      context.telemetry.activationEnded(AGENT_UNIT, state, null);
  }
}

function worstOf(reports: readonly AgentReport[]): readonly ReportedUnit[] {
  const byKey = groupBy(
    reports.flatMap(({ content }) => content.units),
    ({ key }) => key,
  );
  return Array.from(byKey.values(), (units) => {
    const [worst] = [...units].sort((a, b) => WORST_FIRST.indexOf(a.state) - WORST_FIRST.indexOf(b.state));
    return worst;
  }).filter((unit) => unit !== undefined);
}

function activationOf(targetId: string, { agent }: AgentReport, unit: ReportedUnit): ReportedActivation {
  const [kind = "", ...rest] = unit.key.split(":");
  const name = kind === "child" ? "the process" : rest.join(":") || unit.key;
  return {
    unit: agentUnit(targetId, unit.key, `${name} on ${agent.target}`),
    targetId,
    digest: unit.digest,
    // It is tried again by itself.
    state: unit.state === "failed" ? "owed" : unit.state,
    error: unit.error,
    incarnation: unit.incarnation,
  };
}

async function recordEnd(tx: Repositories, { agent }: AgentReport, unit: ReportedUnit): Promise<void> {
  if (unit.state === "requested" || unit.state === "failed") return;
  await tx.audit.append({
    action: "activation.finished",
    actor: actorOf(agent),
    subject: { kind: "target", id: agent.targetId, name: agent.target },
    details: { unit: unit.key, state: unit.state, code: unit.error?.code ?? null },
  });
}

/** Started well with what each of them holds now. */
function isRunning({ key }: ReportedUnit, reports: readonly AgentReport[]): boolean {
  return reports.every(({ content }) =>
    content.units.some(
      (unit) => unit.key === key && unit.state === "succeeded" && unit.digest === content.digest,
    ),
  );
}

/** Bindings of which every key, everywhere, was seen to hold what is settled. */
async function provenBindings(tx: Repositories, targetId: string, reports: readonly AgentReport[]) {
  const settled = new Map(
    (await tx.targets.bindings(targetId)).map((binding) => [binding.id, binding.settled]),
  );
  const items = groupBy(
    reports.flatMap(({ content }) => content.seen.filter(({ version }) => version !== null)),
    ({ bindingId }) => bindingId,
  );
  const right = [...items].filter(([bindingId, seen]) =>
    seen.every(
      ({ action, slot, version }) => action === "unchanged" && settled.get(bindingId)?.[slot] === version,
    ),
  );
  return {
    all: right.map(([bindingId]) => bindingId),
    inEnvironment: right
      .filter(([, seen]) => seen.every(({ placement }) => placement === ""))
      .map(([id]) => id),
  };
}
