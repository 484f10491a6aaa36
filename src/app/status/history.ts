/** `lockstep history`: what was pushed where, by whom, with what outcome. */
import type { HistoryAnswer } from "../../protocol/api-views.ts";
import type { AppContext } from "../base/context.ts";

export async function viewHistory(
  context: AppContext,
  filter: Parameters<AppContext["store"]["read"]["views"]["pushes"]>[0],
): Promise<HistoryAnswer> {
  const pushes = await context.store.read.views.pushes(filter);
  return {
    pushes: pushes.map(({ errorCode, errorMessage, actor, ...push }) => ({
      id: push.id,
      target: push.target,
      generation: push.generation,
      attempt: push.attempt,
      actor,
      startedAt: push.startedAt.toISOString(),
      endedAt: push.endedAt?.toISOString() ?? null,
      outcome: push.outcome,
      error: errorCode === null ? null : { code: errorCode, message: errorMessage ?? "" },
      evidence: push.evidence,
      items: push.items.map((item) => ({ ...item })),
    })),
  };
}
