/** Moves one rollout as far as its gates allow: loads its state, asks the engine, applies its actions, asks again. */
import type { Job } from "../../core/ports/queue.ts";
import { type Decision, decide } from "../../core/rollout/engine.ts";
import type { Member } from "../../core/rollout/member.ts";
import { ENGINE_VERSION } from "../../core/rollout/strategy.ts";
import type { RolloutRecord } from "../../core/store/rollouts.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { AppContext } from "../base/context.ts";
import { hint } from "../base/hint.ts";
import { applyAction, type Effects } from "./apply-action.ts";
import { memberOf, stateOf } from "./load-members.ts";

const LOOK_AGAIN_MS = 15_000;
/** Every phase is entered once, and a finished rollout has no further actions. */
const MAX_STEPS = 10;

/** Answers the looks that the queue did not take: no row says that they are due. */
export async function advanceRollout(context: AppContext, rolloutId: string): Promise<readonly Job[]> {
  const effects = await context.store.transaction(async (tx) => {
    const rollout = await tx.rollouts.lock(rolloutId);
    // What a store that was set back knows of the places is from before.
    if ((await tx.meta.setBack()) !== null) return NO_EFFECTS;
    return rollout === null ? NO_EFFECTS : advanceLocked(context, tx, rollout);
  });
  return await hintEffects(context, effects);
}

const NO_EFFECTS: Effects = { reconcile: [], look: [], asked: [] };

/** After commit: what must be written and looked at now. Answers the looks that the queue did not take. */
export async function hintEffects(
  context: AppContext,
  { reconcile, look, asked }: Effects,
): Promise<readonly Job[]> {
  const looks = look.map((id) => ({ name: "look", id }) as const);
  const taken = await hint(context, [
    ...reconcile.map((id) => ({ name: "reconcile", id }) as const),
    ...looks,
  ]);
  context.hints.tell(asked);
  return taken ? [] : looks;
}

/** Within the caller's transaction; the caller hints the effects after commit. */
export async function advanceLocked(
  context: AppContext,
  tx: Repositories,
  locked: RolloutRecord,
): Promise<Effects> {
  const effects = { reconcile: new Set<string>(), look: new Set<string>(), asked: new Set<string>() };
  let againInMs = LOOK_AGAIN_MS;
  let rollout: RolloutRecord | null = locked;
  for (let step = 0; step < MAX_STEPS && rollout !== null && isOpen(rollout); step += 1) {
    const { decision, members } = await decideNow(context, tx, rollout);
    for (const action of decision.actions) {
      const made = await applyAction(context, tx, { rollout, members }, action);
      for (const id of made.reconcile) effects.reconcile.add(id);
      for (const id of made.look) effects.look.add(id);
      for (const id of made.asked) effects.asked.add(id);
    }
    againInMs = Math.min(LOOK_AGAIN_MS, Math.max(0, decision.againInMs ?? LOOK_AGAIN_MS));
    if (!decision.actions.some(({ kind }) => kind === "enter" || kind === "release")) break;
    rollout = await tx.rollouts.lock(rollout.id);
  }
  await tx.rollouts.lookAgain(locked.id, againInMs);
  return { reconcile: [...effects.reconcile], look: [...effects.look], asked: [...effects.asked] };
}

export interface DecidedNow {
  readonly decision: Decision;
  readonly members: readonly LocatedMember[];
}

/** A member and where it is. */
export interface LocatedMember extends Member {
  readonly targetId: string;
  readonly targetKind: string;
}

/** Also for `rollout show`: what it waits for, in words. Fixes what gates ask of members that joined. */
export async function decideNow(
  context: AppContext,
  tx: Repositories,
  rollout: RolloutRecord,
  { fixes = true }: { readonly fixes?: boolean } = {},
): Promise<DecidedNow> {
  const state = stateOf(context, rollout);
  const members: LocatedMember[] = [];
  for (const row of await tx.rollouts.members(rollout.id)) {
    const member = memberOf(context, row, rollout);
    if (fixes && row.required === null && member.required !== null && rollout.phase !== "prepare")
      await tx.rollouts.fixGate(rollout.id, row.bindingId, rollout.phase, member.required);
    members.push({ ...member, targetId: row.targetId, targetKind: row.targetKind });
  }
  return { decision: decide(state, members, rollout.nowMs), members };
}

function isOpen({ engineVersion, state }: RolloutRecord): boolean {
  return engineVersion <= ENGINE_VERSION && (state === "running" || state === "stalled");
}
