/** Operations on API tokens. */
import { z } from "zod";
import { operation } from "./api-operation.ts";
import { id, instant } from "./api-parts.ts";

const DAY_MS = 86_400_000;

const token = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.string()).readonly(),
  createdBy: z.string(),
  createdAt: instant,
  expiresAt: instant.nullable(),
  lastUsedAt: instant.nullable(),
  revokedAt: instant.nullable(),
});
export type TokenView = z.output<typeof token>;

export const TOKEN_OPERATIONS = {
  listTokens: operation({
    method: "GET",
    path: "/tokens",
    summary: "The tokens; never their secret part.",
    permission: "token.manage",
    answer: z.object({ tokens: z.array(token) }),
  }),
  createToken: operation({
    method: "POST",
    path: "/tokens",
    summary: "A new token, shown once.",
    permission: "token.manage",
    body: z.strictObject({
      name: z.string().min(1).max(80),
      scopes: z.array(z.string().max(40)).min(1).max(20),
      /** Null: until it is revoked. */
      expiresInMs: z
        .int()
        .min(60_000)
        .max(3_650 * DAY_MS)
        .nullable(),
    }),
    answer: z.object({ id: z.string(), token: z.string(), expiresAt: instant.nullable() }),
    confidential: true,
  }),
  revokeToken: operation({
    method: "POST",
    path: "/tokens/:id/revoke",
    summary: "Takes effect with the next request.",
    permission: "token.manage",
    params: z.strictObject({ id }),
    answer: z.object({ id: z.string() }),
  }),
};
