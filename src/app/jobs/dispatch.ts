/**
 * What is done, and where, once a change is committed. All of it only saves time: Postgres says what is owed, the sweep
 * finds it, and agents ask by themselves.
 *
 *   reconcile, look, activate, follow   by the queue; agents of reconciled targets are notified
 *   advance                             a rollout of few members at once, in this process; a larger one by the queue:
 *                                       each move reads all of its members, and the queue makes one move of many
 *                                       requests. What no queue takes is moved at once
 *   changed places                      rollouts that may go on there advance, and restarts owed there are enqueued
 */
import { toLockstepError } from "../../core/errors.ts";
import type { Job } from "../../core/ports/queue.ts";
import { groupBy } from "../../lib/group-by.ts";
import type { AppContext } from "../base/context.ts";
import type { DelayedJob, FollowUps } from "../base/follow-ups.ts";
import { advanceRollout } from "../rollouts/advance-rollout.ts";

/** Members up to which a rollout is moved by whoever changed something for it. */
const MOVES_AT_ONCE = 20;

/** Answers the jobs that the queue refused. Throws what the store throws. */
export async function dispatchFollowUps(
  context: AppContext,
  { jobs, changed, notified }: FollowUps,
): Promise<readonly Job[]> {
  const { read } = context.store;
  const queued = jobs.filter(({ name }) => name !== "advance");
  const rollouts = new Set(jobs.flatMap(({ name, id }) => (name === "advance" ? [id] : [])));
  for (const targetId of changed) {
    for (const { id, inMs } of await read.activations.owedAtTarget(targetId))
      queued.push({ name: "activate", id, inMs });
    for (const id of await read.rollouts.movableAtTarget(targetId)) rollouts.add(id);
  }
  if (notified.length > 0) context.agentNotifier.notify(notified);
  const refused = await enqueue(context, queued);
  for (const id of rollouts) await advance(context, id);
  return refused;
}

/** Into the queue, whatever it is; for the sweep, which does nothing itself. Answers the jobs that the queue refused. */
export async function enqueue(context: AppContext, jobs: readonly DelayedJob[]): Promise<readonly Job[]> {
  const reconciled = jobs.flatMap(({ name, id }) => (name === "reconcile" ? [id] : []));
  if (reconciled.length > 0) context.agentNotifier.notify(reconciled);
  const refused: Job[] = [];
  for (const [, group] of groupBy(jobs, ({ inMs }) => String(inMs))) {
    const plain = group.map(({ name, id }) => ({ name, id }));
    try {
      await context.queue.enqueue(plain, { delayMs: group[0]?.inMs ?? 0 });
    } catch (error) {
      context.log.debug("queue away", { code: toLockstepError(error).code, jobs: plain.length });
      refused.push(...plain);
    }
  }
  return refused;
}

/** One that fails keeps no other from going on. */
async function advance(context: AppContext, id: string): Promise<void> {
  try {
    const isLarge = (await context.store.read.rollouts.size(id)) > MOVES_AT_ONCE;
    const isQueued = isLarge && (await enqueue(context, [{ name: "advance", id, inMs: 0 }])).length === 0;
    if (!isQueued) await advanceRollout(context, id);
  } catch (error) {
    const { code, message } = toLockstepError(error);
    context.log.warn("advance failed", { rollout: id, code, reason: message });
  }
}
