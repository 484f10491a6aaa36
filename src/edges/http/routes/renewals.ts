/** Handlers for tokens. */
import { publicKeysOf } from "../../../app/renewals/public-keys.ts";
import { renewNow } from "../../../app/renewals/renew-now.ts";
import { viewRenewals } from "../../../app/renewals/view-renewals.ts";
import type { RENEWAL_OPERATIONS } from "../../../protocol/api-renewals.ts";
import type { Handlers } from "../routes.ts";

export const renewalHandlers: Pick<Handlers, keyof typeof RENEWAL_OPERATIONS> = {
  listRenewals: async ({ query: { environment } }, { context }) => ({
    renewals: [...(await viewRenewals(context, environment))],
  }),
  renewSecret: async ({ params, body }, { context, caller, signal }) => {
    const { version, rolloutId, expiresAt, joined } = await renewNow(
      context,
      caller.actor,
      params,
      body,
      signal,
    );
    return {
      secret: params.name,
      environment: params.environment,
      version,
      rollout: rolloutId,
      expiresAt: expiresAt?.toISOString() ?? null,
      ...(joined === undefined ? {} : { joined }),
    };
  },
  getPublicKeys: async ({ params }, { context }) => {
    const { keys } = await publicKeysOf(context, params);
    return { keys: keys.map((key) => ({ ...key })) as Record<string, string>[] };
  },
};
