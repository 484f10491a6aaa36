/**
 * Finds in Postgres what is owed and puts it into the queue. This, not the queue, is what makes sure that nothing is
 * lost: a flushed Redis, a lost job and a killed worker all end here.
 */
import type { Job } from "../../core/ports/queue.ts";
import { expireAgents } from "../agents/enrolment/expire-agents.ts";
import type { AppContext } from "../base/context.ts";
import { dueRenewals } from "../renewals/renew-due.ts";
import { dueRotations } from "../secrets/rotate-due.ts";
import { SILENT_MS } from "../targets/live-agents.ts";
import { enqueue } from "./dispatch.ts";

/**
 * Of each kind of work. Enough to keep the workers busy until the next sweep; more would put what waits in the queue
 * into it again and again, which costs more than doing it.
 */
const MAX_PER_SWEEP = 100;

export interface Swept {
  /** Everything that is due now. */
  readonly due: readonly Job[];
  /** False: the queue is away. Then the sweeping worker does it itself, as leases allow. */
  readonly isQueued: boolean;
}

export async function sweep(context: AppContext): Promise<Swept> {
  const { read } = context.store;
  await expireAgents(context);
  // A store that was set back only looks.
  if ((await read.meta.setBack()) !== null) return { due: [], isQueued: true };
  // One after the other: a worker that has nothing to do needs one connection for this, not five.
  const targets = await read.targets.due(MAX_PER_SWEEP);
  const activations = await read.activations.due(MAX_PER_SWEEP);
  const groups = await read.activations.groupsDue(MAX_PER_SWEEP);
  const rollouts = await read.rollouts.due(MAX_PER_SWEEP);
  const unobserved = await read.targets.unobserved({ silentMs: SILENT_MS, limit: MAX_PER_SWEEP });
  const renewals = await dueRenewals(context, MAX_PER_SWEEP);
  const rotations = await dueRotations(context, MAX_PER_SWEEP);
  const jobs: Job[] = [
    ...targets.map((id) => ({ name: "reconcile", id }) as const),
    ...activations.map((id) => ({ name: "activate", id }) as const),
    ...groups.map((id) => ({ name: "follow", id }) as const),
    ...unobserved.map((id) => ({ name: "look", id }) as const),
    ...rollouts.map((id) => ({ name: "advance", id }) as const),
    ...renewals,
    ...rotations,
  ];
  const refused = await enqueue(
    context,
    jobs.map((job) => ({ ...job, inMs: 0 })),
  );
  return { due: jobs, isQueued: refused.length === 0 };
}
