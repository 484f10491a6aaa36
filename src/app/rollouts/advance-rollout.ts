/** Moves one rollout as far as its gates allow: loads its state, asks the engine, applies its actions, asks again. */
import { SYSTEM } from "../../core/actor.ts";
import { isAtLeast, weaker } from "../../core/evidence.ts";
import { invariant } from "../../core/invariant.ts";
import type { RolloutMemberRow, RolloutRecord } from "../../core/ports/store/rollouts.ts";
import type { Repositories } from "../../core/ports/store/store.ts";
import { type Action, type Decision, decide, type Member } from "../../core/rollout/engine.ts";
import { ENGINE_VERSION } from "../../core/rollout/slots.ts";
import { assertNever } from "../../lib/assert-never.ts";
import type { AppContext } from "../context.ts";
import { hint } from "../loop/hint.ts";
import { kindOf } from "../open-target.ts";

const LOOK_AGAIN_MS = 15_000;

export async function advanceRollout(context: AppContext, rolloutId: string): Promise<void> {
  const bumped = await context.store.transaction(async (tx) => {
    const rollout = await tx.rollouts.lock(rolloutId);
    return rollout === null ? [] : advanceLocked(context, tx, rollout);
  });
  await hint(
    context,
    bumped.map((id) => ({ name: "reconcile", id }) as const),
  );
}

/** Within the caller's transaction. Answers the targets that must be reconciled now. */
export async function advanceLocked(
  context: AppContext,
  tx: Repositories,
  locked: RolloutRecord,
): Promise<readonly string[]> {
  const bumped: string[] = [];
  let rollout: RolloutRecord | null = locked;
  // Bounded: every phase is entered once, and a finished rollout has no further actions.
  for (let step = 0; step < 10 && rollout !== null && isOpen(rollout); step += 1) {
    const { actions } = await decideNow(context, tx, rollout);
    for (const action of actions) bumped.push(...(await applyAction(tx, rollout, action)));
    if (!actions.some((action) => action.kind === "enter-commit")) break;
    rollout = await tx.rollouts.lock(rollout.id);
  }
  await tx.rollouts.lookAgain(locked.id, LOOK_AGAIN_MS);
  return bumped;
}

/** Also for `rollout show`: what it waits for, in words. */
export async function decideNow(
  context: AppContext,
  tx: Repositories,
  rollout: RolloutRecord,
): Promise<Decision> {
  invariant(rollout.state === "running" || rollout.state === "stalled", "only open rollouts are decided");
  const rows = await tx.rollouts.members(rollout.id);
  const members: Member[] = [];
  for (const row of rows) {
    const required = row.required ?? requiredOf(context, row);
    if (row.required === null && rollout.phase !== "prepare") {
      await tx.rollouts.fixGate(rollout.id, row.bindingId, rollout.phase, required);
    }
    members.push(toMember(row, required, rollout.toVersion));
  }
  return decide({ ...rollout, state: rollout.state }, members);
}

function isOpen(rollout: RolloutRecord): boolean {
  return (
    rollout.engineVersion === ENGINE_VERSION && (rollout.state === "running" || rollout.state === "stalled")
  );
}

/** The best its target can give, up to `deployed`, which is what this engine's strategy asks for. */
function requiredOf(context: AppContext, row: RolloutMemberRow) {
  return weaker(kindOf(context, row.targetKind).capabilities(row.targetConfig).maxEvidence, "deployed");
}

function toMember(row: RolloutMemberRow, required: Member["required"], toVersion: number): Member {
  const blocked = row.activations.find((activation) => activation.state === "blocked");
  const dormant =
    row.activations.length > 0 && row.activations.every((activation) => activation.state === "dormant");
  const stored = row.settledVersion === toVersion && isAtLeast(row.evidence, "stored");
  return {
    bindingId: row.bindingId,
    target: row.target,
    key: row.key,
    optional: row.optional,
    required,
    settledVersion: row.settledVersion,
    evidence: row.evidence,
    restsAtStored: dormant || row.adopted,
    stuck:
      row.gaveUp && !stored
        ? (row.errorMessage ?? "given up")
        : blocked === undefined
          ? null
          : (blocked.errorMessage ?? `${blocked.unit} is blocked`),
  };
}

async function applyAction(
  tx: Repositories,
  rollout: RolloutRecord,
  action: Action,
): Promise<readonly string[]> {
  const subject = { kind: "secret", id: rollout.secretId, name: rollout.secretName };
  const details = { rollout: rollout.id, from: rollout.fromVersion, to: rollout.toVersion };
  switch (action.kind) {
    case "enter-commit": {
      const targets = await tx.targets.bindingTargets(rollout.secretId);
      await promote(tx, rollout);
      await tx.rollouts.setPhase(rollout.id, "commit");
      await tx.targets.bumpGenerations(targets, rollout.actor);
      await tx.audit.append({
        action: "rollout.advanced",
        actor: rollout.actor,
        subject,
        details: { ...details, phase: "commit" },
      });
      return targets;
    }
    case "meet-gate":
      await tx.rollouts.meetGate(rollout.id, action.bindingId, rollout.phase, action.evidence);
      return [];
    case "finish":
      await retireOlder(tx, rollout);
      await tx.rollouts.setState(rollout.id, "done", null);
      await tx.audit.append({ action: "rollout.finished", actor: SYSTEM, subject, details });
      return [];
    case "stall":
      await tx.rollouts.setState(rollout.id, "stalled", action.reason);
      await tx.audit.append({
        action: "rollout.stalled",
        actor: SYSTEM,
        subject,
        details: { ...details, reason: action.reason },
      });
      return [];
    case "unstall":
      await tx.rollouts.setState(rollout.id, "running", null);
      return [];
    default:
      return assertNever(action);
  }
}

async function promote(tx: Repositories, rollout: RolloutRecord): Promise<void> {
  const versions = await tx.secrets.versions(rollout.secretId);
  for (const version of versions) {
    if (version.state === "current")
      await tx.secrets.moveVersion(rollout.secretId, version.version, "retiring");
  }
  await tx.secrets.moveVersion(rollout.secretId, rollout.toVersion, "current");
}

async function retireOlder(tx: Repositories, rollout: RolloutRecord): Promise<void> {
  for (const version of await tx.secrets.versions(rollout.secretId)) {
    if (version.state === "retiring")
      await tx.secrets.moveVersion(rollout.secretId, version.version, "retired");
  }
}
