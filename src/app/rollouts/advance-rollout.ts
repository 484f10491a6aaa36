/** Moves one rollout as far as its gates allow: loads its state, asks the engine, applies its actions, asks again. */
import { type Decision, decide } from "../../core/rollout/engine.ts";
import type { RolloutRecord } from "../../core/store/rollouts.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { AppContext } from "../base/context.ts";
import type { Next } from "../base/follow-ups.ts";
import { transact } from "../base/transaction.ts";
import { isNewer } from "../desired/newer-rollout.ts";
import { applyAction } from "./apply-action.ts";
import { type LocatedMember, memberOf, stateOf } from "./load-members.ts";

const LOOK_AGAIN_MS = 15_000;
/** Every phase is entered once, and a finished rollout has no further actions. */
const MAX_STEPS = 10;

export async function advanceRollout(context: AppContext, rolloutId: string): Promise<void> {
  await context.telemetry.during("rollout-step", "advance", () =>
    transact(context, async (tx, next) => {
      const rollout = await tx.rollouts.lock(rolloutId);
      // What a store that was set back knows of the places is from before.
      if (rollout === null || (await tx.meta.setBack()) !== null) return;
      await advanceLocked(context, tx, next, rollout);
    }),
  );
}

/** Within the caller's transaction. */
export async function advanceLocked(
  context: AppContext,
  tx: Repositories,
  next: Next,
  locked: RolloutRecord,
): Promise<void> {
  // Its next look is not put off either: a worker of the release that began it takes it up.
  if (isNewer(locked)) return;
  let againInMs = LOOK_AGAIN_MS;
  let rollout: RolloutRecord | null = locked;
  for (let step = 0; step < MAX_STEPS && rollout !== null && isOpen(rollout); step += 1) {
    const { decision, members } = await decideNow(context, tx, rollout);
    for (const action of decision.actions) await applyAction(context, tx, next, { rollout, members }, action);
    againInMs = Math.min(LOOK_AGAIN_MS, Math.max(0, decision.againInMs ?? LOOK_AGAIN_MS));
    if (!decision.actions.some(({ kind }) => kind === "enter" || kind === "release")) break;
    rollout = await tx.rollouts.lock(rollout.id);
  }
  await tx.rollouts.lookAgain(locked.id, againInMs);
}

export interface DecidedNow {
  readonly decision: Decision;
  readonly members: readonly LocatedMember[];
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
    members.push(member);
  }
  return { decision: decide(state, members, rollout.nowMs), members };
}

function isOpen({ state }: RolloutRecord): boolean {
  return state === "running" || state === "stalled";
}
