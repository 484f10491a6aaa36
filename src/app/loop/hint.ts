/** Puts jobs into the queue. A queue that is away costs time only: the sweep finds the same work in Postgres. */
import { toLockstepError } from "../../core/errors.ts";
import type { Job } from "../../core/ports/queue.ts";
import type { AppContext } from "../context.ts";

export async function hint(context: AppContext, jobs: readonly Job[], delayMs = 0): Promise<void> {
  if (jobs.length === 0) return;
  try {
    await context.queue.enqueue(jobs, { delayMs });
  } catch (error) {
    context.log.warn("queue away", { code: toLockstepError(error).code, jobs: jobs.length });
  }
}
