/**
 * Observes what stands, runs and answers at one target that is reached directly, for the gates of the rollouts that move
 * its secrets. Changes nothing there.
 */
import type { Target } from "../../core/ports/target.ts";
import type { BindingObservation, TargetRecord } from "../../core/store/targets.ts";
import type { AppContext } from "../base/context.ts";
import { judgeOrders } from "../orders/judge-orders.ts";
import { withTarget } from "../targets/open-target.ts";
import { judgeStored } from "./judge-stored.ts";
import { type GateQuestion, loadGated, observeEach, observeForGates } from "./observe-for-gates.ts";
import { observeInstances } from "./observe-instances.ts";
import { observeVerifier } from "./observe-verifier.ts";

/** Throws as `observeForGates` does. What the target says or does not say is an observation. */
export async function observeDirectly(
  context: AppContext,
  target: TargetRecord,
  signal: AbortSignal,
): Promise<void> {
  const beganAtMs = await context.store.read.meta.storeNow();
  const question = { target, known: await loadGated(context, target.id), beganAtMs };
  await observeForGates(context, question, signal, (limited) =>
    withTarget(context, target, (open) => observeOpen(context, open, question, limited), {
      purpose: "background",
    }),
  );
}

async function observeOpen(
  context: AppContext,
  target: Target,
  question: GateQuestion,
  signal: AbortSignal,
): Promise<readonly BindingObservation[]> {
  const { known, target: record } = question;
  const addresses = known.flatMap(({ binding: { placement, key, fallbackKey } }) => [
    { placement, key },
    { placement, key: fallbackKey },
  ]);
  const observation = await target.observe(addresses, signal);
  await judgeOrders(context, record, observation.orders, "mark");
  const instances = await observeInstances(context, target, observation, known, signal);
  return await observeEach(question, async (one) => {
    const stored = judgeStored(one, observation.keys, context.sameValue);
    const running = instances.get(one.binding.id) ?? null;
    const verifier = await observeVerifier(context, target, one, running, signal);
    return { ...stored, ...verifier, instances: running };
  });
}
