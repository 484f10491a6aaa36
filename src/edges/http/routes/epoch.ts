/** Handlers for a store that was restored or set back. */
import { beginEpoch } from "../../../app/epoch/begin-epoch.ts";
import { assertReason, viewEpoch } from "../../../app/epoch/view-epoch.ts";
import type { EPOCH_OPERATIONS } from "../../../protocol/api-epoch.ts";
import type { Handlers } from "../routes.ts";

export const epochHandlers: Pick<Handlers, keyof typeof EPOCH_OPERATIONS> = {
  lookAtEpoch: (_call, { context, signal }) => viewEpoch(context, signal),
  beginEpoch: ({ body }, { context, caller }) =>
    beginEpoch(context, caller.actor, { reason: assertReason(body.reason) }),
};
