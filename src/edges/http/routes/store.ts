/** Handlers for places and for the store itself. */
import { rewrapAll } from "../../../app/secrets/rewrap-all.ts";
import { testTarget } from "../../../app/test-target.ts";
import type { STORE_OPERATIONS } from "../../../protocol/api-store.ts";
import type { Handlers } from "../routes.ts";

export const storeHandlers: Pick<Handlers, keyof typeof STORE_OPERATIONS> = {
  testTarget: ({ params }, { context, signal }) => testTarget(context, params, signal),
  rewrap: (_call, { context, caller }) => rewrapAll(context, caller.actor),
};
