/** What the loop does at a place in other hands: it settles what a person has confirmed, and waits for the rest. */

import { planChange } from "../../core/reconcile/plan-change.ts";
import type { Lease, TargetRecord } from "../../core/store/targets.ts";
import { shellCommand } from "../../lib/shell-quote.ts";
import type { AppContext } from "../base/context.ts";
import { loadDesired } from "../desired/desired.ts";
import { recordSettled } from "../push/record-push.ts";
import { observeManual } from "../targets/manual-target.ts";

/** What a person says is taken up at once; between, there is nothing to find. */
const AGAIN_MS = 3_600_000;

/** Settles what a person has confirmed; what is still to be done waits for one, and takes next to no time until then. */
export async function reconcileManual(context: AppContext, lease: Lease): Promise<void> {
  const { target, token } = lease;
  const desired = await loadDesired(context, target.id);
  const { keys } = await observeManual(context, target.id, [...desired.slots, ...desired.pruned]);
  const items = planChange(desired.slots, desired.pruned, keys, context.sameValue);
  if (items.some(({ action }) => action === "set" || action === "unset")) {
    await context.store.transaction((tx) =>
      tx.targets.settle(target.id, token, {
        generation: null,
        attempts: 0,
        nextActionInMs: AGAIN_MS,
        gaveUp: false,
        error: { code: "STEP_OPEN", message: stepText(target) },
        inFlight: "as-is",
      }),
    );
  } else {
    await recordSettled(context, { lease, desired }, { pushId: null, planned: items, seen: items });
  }
}

function stepText({ name }: Pick<TargetRecord, "name">): string {
  return `A person must bring what is new to ${name}: \`${shellCommand(["lockstep", "step", "show", name])}\`.`;
}
