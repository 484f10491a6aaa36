/** `lockstep rollout list` and `show`. */
import { LockstepError } from "../../core/errors.ts";
import type { RolloutRow } from "../../core/ports/store/views.ts";
import type { RolloutSummary, RolloutView } from "../../protocol/api-views.ts";
import type { AppContext } from "../context.ts";
import { viewBindings } from "./bindings.ts";

export async function listRollouts(
  context: AppContext,
  filter: Parameters<AppContext["store"]["read"]["views"]["rollouts"]>[0],
): Promise<readonly RolloutSummary[]> {
  return (await context.store.read.views.rollouts(filter)).map(summary);
}

/** Throws NOT_FOUND. */
export async function viewRollout(context: AppContext, rolloutId: string): Promise<RolloutView> {
  const { views } = context.store.read;
  const [row] = await views.rollouts({ id: rolloutId, limit: 1 });
  if (row === undefined) {
    throw new LockstepError("NOT_FOUND", "There is no rollout with this id.", {
      hint: "`lockstep rollout list` shows the rollouts.",
    });
  }
  return { ...summary(row), bindings: await viewBindings(context, row.secretId) };
}

function summary(row: RolloutRow): RolloutSummary {
  return {
    rollout: row.id,
    secret: row.secretName,
    environment: row.environment,
    from: row.fromVersion,
    to: row.toVersion,
    strategy: row.strategy,
    phase: row.phase,
    state: row.state,
    reason: row.reason,
    actor: row.actor,
    startedAt: row.startedAt.toISOString(),
    endedAt: row.endedAt?.toISOString() ?? null,
  };
}
