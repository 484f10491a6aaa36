/** What is said of a rollout that was given up: which one took its place, and how to follow that. */
import { LockstepError } from "../../core/errors.ts";
import type { RolloutRecord } from "../../core/store/rollouts.ts";
import type { Repositories } from "../../core/store/store.ts";
import { shellCommand } from "../../lib/shell-quote.ts";

export async function ended(
  tx: Repositories,
  { id, secretId, state, reason }: RolloutRecord,
  verb: string,
): Promise<LockstepError> {
  const why = reason === null ? "" : ` (${reason})`;
  const open = await tx.rollouts.openOf(secretId);
  return new LockstepError("VERSION_STATE", `Cannot ${verb} rollout ${id}: it is ${state}${why}.`, {
    details: { rollout: id, ...(open === null ? {} : { underWay: open.id }) },
    ...(open === null
      ? {}
      : {
          hint: `Rollout ${open.id} is under way in its place: follow it with \`${shellCommand(["lockstep", "rollout", "show", open.id])}\`.`,
        }),
  });
}
