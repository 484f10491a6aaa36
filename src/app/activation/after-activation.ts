/** Lets the rollouts at a unit's targets go on after its activation ended. */
import type { ActivationRecord } from "../../core/store/activations.ts";
import type { AppContext } from "../base/context.ts";
import { advanceRollout } from "../rollouts/advance-rollout.ts";

export async function afterActivation(context: AppContext, activation: ActivationRecord): Promise<void> {
  const { read } = context.store;
  const rollouts = new Set<string>();
  for (const targetId of await read.activations.targetsOfUnit(activation.unitId)) {
    for (const id of await read.rollouts.movableAtTarget(targetId)) rollouts.add(id);
  }
  for (const id of rollouts) await advanceRollout(context, id);
}
