/**
 * Puts jobs into the queue, and tells agents whose targets are owed. A queue that is away costs time only: the sweep
 * finds the same work in Postgres, and agents ask by themselves.
 */
import { toLockstepError } from "../../core/errors.ts";
import type { Job } from "../../core/ports/queue.ts";
import type { AppContext } from "./context.ts";

/** False when the queue did not take them. */
export async function hint(context: AppContext, jobs: readonly Job[], delayMs = 0): Promise<boolean> {
  if (jobs.length === 0) return true;
  // A target without an agent is ignored there.
  context.hints.tell(jobs.flatMap(({ name, id }) => (name === "reconcile" ? [id] : [])));
  try {
    await context.queue.enqueue(jobs, { delayMs });
    return true;
  } catch (error) {
    context.log.debug("queue away", { code: toLockstepError(error).code, jobs: jobs.length });
    return false;
  }
}
