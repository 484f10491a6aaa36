/** Finds the tokens that are due and says so; tells people about those that are not renewed in time. */
import type { Job } from "../../core/ports/queue.ts";
import { decide, levelNow } from "../../core/renewal/decide.ts";
import { isEscalation } from "../../core/renewal/due.ts";
import { seedOf } from "../../core/seed.ts";
import type { AppContext } from "../base/context.ts";
import { escalate } from "./renewal-alert.ts";

/** Those that end first come first. */
export async function dueRenewals(context: AppContext, most: number): Promise<readonly Job[]> {
  const nowMs = context.clock.now().getTime();
  const jobs: Job[] = [];
  for (const candidate of await context.store.read.renewals.candidates()) {
    const moment = { nowMs, seed: seedOf(candidate.id, candidate.newest?.version ?? null) };
    const level = levelNow(candidate, moment);
    if (level !== null && isEscalation(level, candidate.level)) {
      await context.store.transaction(async (tx) => {
        const locked = await tx.renewals.lock(candidate.id);
        if (locked !== null) await escalate(context, tx, locked);
      });
    }
    if (jobs.length < most && decide(candidate, moment).act !== "wait")
      jobs.push({ name: "renew", id: candidate.id });
  }
  return jobs;
}
