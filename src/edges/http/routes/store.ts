/** Handlers for places and for the store itself. */

import { storeStatus } from "../../../app/retention/store-status.ts";
import { recordRecoveryCopy } from "../../../app/secrets/record-recovery-copy.ts";
import { rewrapAll } from "../../../app/secrets/rewrap-all.ts";
import { testTarget } from "../../../app/targets/test-target.ts";
import { moveValues } from "../../../app/values/move-values.ts";
import { withDeadline } from "../../../lib/with-deadline.ts";
import type { STORE_OPERATIONS } from "../../../protocol/api-store.ts";
import type { Handlers } from "../routes.ts";

const HOST_KEY_TIMEOUT_MS = 15_000;

export const storeHandlers: Pick<Handlers, keyof typeof STORE_OPERATIONS> = {
  lookAtHostKey: async ({ body }, { context, signal }) => {
    const { type, key, fingerprint } = await withDeadline(signal, HOST_KEY_TIMEOUT_MS, (limited) =>
      context.readHostKey(body, limited),
    );
    return { ...body, hostKey: `${type} ${key}`, fingerprint };
  },
  storeStatus: (_call, { context }) => storeStatus(context),
  testTarget: ({ params }, { context, signal }) => testTarget(context, params, signal),
  recordRecoveryCopy: ({ body }, { context, caller }) =>
    recordRecoveryCopy(context, caller.actor, body.keyId),
  moveValues: ({ body }, { context, caller }) => moveValues(context, caller.actor, body.after),
  rewrap: (_call, { context, caller }) => rewrapAll(context, caller.actor),
};
