/** Handlers for API tokens. */
import { createToken } from "../../../app/tokens/create-token.ts";
import { listTokens, revokeToken } from "../../../app/tokens/manage-tokens.ts";
import type { TOKEN_OPERATIONS } from "../../../protocol/api-tokens.ts";
import type { Handlers } from "../routes.ts";

export const tokenHandlers: Pick<Handlers, keyof typeof TOKEN_OPERATIONS> = {
  listTokens: async (_call, { context }) => ({
    tokens: (await listTokens(context)).map((token) => ({
      ...token,
      createdAt: token.createdAt.toISOString(),
      expiresAt: token.expiresAt?.toISOString() ?? null,
      lastUsedAt: token.lastUsedAt?.toISOString() ?? null,
      revokedAt: token.revokedAt?.toISOString() ?? null,
    })),
  }),
  createToken: async ({ body }, { context, caller }) => {
    const { id, token, expiresAt } = await createToken(context, caller.actor, {
      ...body,
      madeWith: caller.scopes,
    });
    return { id, token: token.reveal(), expiresAt: expiresAt?.toISOString() ?? null };
  },
  revokeToken: async ({ params }, { context, caller }) => {
    await revokeToken(context, caller.actor, params.id);
    return { id: params.id };
  },
};
