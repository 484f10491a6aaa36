/**
 * A change of the store, and what follows from it. Use cases collect follow-ups while they change rows; nothing is done
 * about them before the commit.
 *
 *   work(tx, next) ▸ Postgres asks for another run: `next` begins empty ▸ commit ▸ `context.dispatch`, once
 *
 * A dispatch that fails costs time only: rows say what is owed, and the sweep finds it.
 */
import { toLockstepError } from "../../core/errors.ts";
import type { Repositories } from "../../core/store/store.ts";
import type { AppContext } from "./context.ts";
import { type Next, NextSteps } from "./follow-ups.ts";

/** Throws what `work` and the store throw. `work` may run several times, and touches nothing but `tx` and `next`. */
export async function transact<T>(
  context: AppContext,
  work: (tx: Repositories, next: Next) => Promise<T>,
): Promise<T> {
  let steps = new NextSteps();
  const done = await context.store.transaction((tx) => {
    steps = new NextSteps();
    return work(tx, steps);
  });
  await dispatchAll(context, steps);
  return done;
}

/** For what follows from changes that are committed already. Never throws. */
export async function dispatch(context: AppContext, collect: (next: Next) => void): Promise<void> {
  const steps = new NextSteps();
  collect(steps);
  await dispatchAll(context, steps);
}

async function dispatchAll(context: AppContext, steps: NextSteps): Promise<void> {
  const followUps = steps.collected();
  const { jobs, changed, notified } = followUps;
  if (jobs.length + changed.length + notified.length === 0) return;
  try {
    await context.dispatch(context, followUps);
  } catch (error) {
    const { code, message } = toLockstepError(error);
    context.log.warn("dispatch failed", { code, reason: message });
  }
}
