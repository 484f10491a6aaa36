/** What the engine decided, done: each action with its audit entry in the caller's transaction. */
import { SYSTEM } from "../../core/actor.ts";
import type { AuditAction } from "../../core/audit/events.ts";
import type { JsonObject } from "../../core/json.ts";
import type { Action } from "../../core/rollout/engine.ts";
import { type RolloutView, sameSlots, slotsOf } from "../../core/rollout/slots.ts";
import type { RolloutRecord } from "../../core/store/rollouts.ts";
import type { Repositories } from "../../core/store/store.ts";
import { assertNever } from "../../lib/assert-never.ts";
import type { AppContext } from "../base/context.ts";
import type { Next } from "../base/follow-ups.ts";
import { kindOf } from "../targets/open-target.ts";
import { type LocatedMember, viewOf } from "./load-members.ts";

export interface Deciding {
  readonly rollout: RolloutRecord;
  readonly members: readonly LocatedMember[];
}

export async function applyAction(
  context: AppContext,
  tx: Repositories,
  next: Next,
  deciding: Deciding,
  action: Action,
): Promise<void> {
  const { rollout, members } = deciding;
  switch (action.kind) {
    case "enter": {
      if (action.promotes) await promote(tx, rollout);
      await tx.rollouts.setPhase(rollout.id, action.phase);
      await record(tx, rollout, "rollout.advanced", { phase: action.phase });
      const before = viewOf(rollout);
      return bump(tx, next, deciding, before, { ...before, phase: action.phase });
    }
    case "meet-gate":
      await tx.rollouts.meetGate(rollout.id, action.bindingId, rollout.phase, action.evidence);
      return;
    case "look":
      return look(context, tx, next, members, action.bindingIds);
    case "recheck":
      await tx.rollouts.setFresh(rollout.id, action.from);
      return;
    case "hold":
    case "release": {
      const held = action.kind === "hold";
      await tx.rollouts.setHeld(rollout.id, held);
      await record(tx, rollout, held ? "rollout.held" : "rollout.released", {});
      const before = viewOf(rollout);
      return bump(tx, next, deciding, before, { ...before, held });
    }
    case "finish":
      await retireOlder(tx, rollout);
      await tx.rollouts.setState(rollout.id, "done", null);
      await record(tx, rollout, "rollout.finished", {});
      return;
    case "stall":
      await tx.rollouts.setState(rollout.id, "stalled", action.reason);
      if (rollout.state !== "stalled")
        await record(tx, rollout, "rollout.stalled", { reason: action.reason });
      return;
    case "unstall":
      await tx.rollouts.setState(rollout.id, "running", null);
      return;
    default:
      return assertNever(action);
  }
}

/** Only where something is to stand there that did not: what stays as it is restarts nothing. */
async function bump(
  tx: Repositories,
  next: Next,
  { rollout, members }: Deciding,
  before: RolloutView,
  after: RolloutView,
): Promise<void> {
  const current = rollout.toVersion;
  const changed = members.filter((member) => {
    const wanted = slotsOf(member, current, after);
    const settled = {
      primary: member.settled.primary ?? null,
      fallback: member.settled.fallback ?? null,
    };
    return !sameSlots(wanted, slotsOf(member, current, before)) || !sameSlots(wanted, settled);
  });
  const targetIds = [...new Set(changed.map(({ targetId }) => targetId))].sort();
  await tx.targets.bumpGenerations(targetIds, rollout.actor);
  next.reconcile(targetIds);
}

async function look(
  context: AppContext,
  tx: Repositories,
  next: Next,
  members: readonly LocatedMember[],
  bindingIds: readonly string[],
): Promise<void> {
  const ids = new Set(bindingIds);
  const asked = members.filter(({ bindingId }) => ids.has(bindingId));
  const targetsOf = (reported: boolean): readonly string[] => [
    ...new Set(
      asked
        .filter(({ targetKind }) => (kindOf(context, targetKind).delivery === "agent") === reported)
        .map(({ targetId }) => targetId),
    ),
  ];
  next.look(targetsOf(false));
  const reported = targetsOf(true);
  if (reported.length === 0) return;
  await tx.targets.requestReports(reported);
  next.notifyAgents(reported);
}

/** From here on somebody may use the new version. */
export async function promote(tx: Repositories, rollout: RolloutRecord): Promise<void> {
  const current = (await tx.secrets.versions(rollout.secretId)).find(({ state }) => state === "current");
  // It still is when a way back was itself given up before anybody returned.
  if (current?.version === rollout.toVersion) return;
  if (current !== undefined) await tx.secrets.moveVersion(rollout.secretId, current.version, "retiring");
  await tx.secrets.moveVersion(rollout.secretId, rollout.toVersion, "current");
}

async function retireOlder(tx: Repositories, rollout: RolloutRecord): Promise<void> {
  for (const { version, state } of await tx.secrets.versions(rollout.secretId)) {
    if (version === rollout.toVersion) continue;
    if (state === "retiring") await tx.secrets.moveVersion(rollout.secretId, version, "retired");
    // Nobody ever used it: it was on its way when the rollout went back.
    if (state === "staged") await tx.secrets.moveVersion(rollout.secretId, version, "abandoned");
  }
}

function record(
  tx: Repositories,
  rollout: RolloutRecord,
  action: AuditAction,
  details: JsonObject,
): Promise<void> {
  const { id, secretId, secretName, fromVersion, toVersion } = rollout;
  return tx.audit.append({
    action,
    actor: action === "rollout.advanced" ? rollout.actor : SYSTEM,
    subject: { kind: "secret", id: secretId, name: secretName },
    details: { rollout: id, from: fromVersion, to: toVersion, ...details },
  });
}
