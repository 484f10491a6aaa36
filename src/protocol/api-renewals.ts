/** Operations for tokens that end by themselves. */
import { z } from "zod";
import { operation } from "./api-operation.ts";
import { instant, name } from "./api-parts.ts";

const renewal = z.object({
  secret: z.string(),
  environment: z.string(),
  issuer: z.string(),
  /** Null: there is no token yet. */
  version: z.int().nullable(),
  madeAt: instant.nullable(),
  /** Null: it does not end, or there is none. */
  expiresAt: instant.nullable(),
  /** `lost`: a person must act. `expired`: who sends it is refused. */
  state: z.enum(["good", "due", "renewing", "failing", "lost", "expired", "none"]),
  /** Null: not before somebody acts. */
  nextTryAt: instant.nullable(),
  /** In a row. */
  failures: z.int(),
  error: z.object({ code: z.string(), message: z.string(), at: z.string() }).nullable(),
  /** The level that a person was last notified at. */
  level: z.enum(["failing", "urgent", "critical", "expired"]).nullable(),
});
export type RenewalAnswer = z.output<typeof renewal>;

export const RENEWAL_OPERATIONS = {
  listRenewals: operation({
    method: "GET",
    path: "/renewals",
    summary: "Tokens, when they end, and when they are renewed next.",
    permission: "status.read",
    query: z.strictObject({ environment: name.exactOptional() }),
    answer: z.object({ renewals: z.array(renewal) }),
  }),
  renewSecret: operation({
    method: "POST",
    path: "/secrets/:environment/:name/renew",
    summary: "The next token now, whether or not it is due.",
    permission: "renewal.start",
    params: z.strictObject({ environment: name, name }),
    body: z.strictObject({
      /** Also with what an earlier request, whose answer was lost, may have used up. */
      again: z.boolean().exactOptional(),
    }),
    answer: z.object({
      secret: z.string(),
      environment: z.string(),
      version: z.int(),
      rollout: z.string().nullable(),
      expiresAt: instant.nullable(),
      /** The request to the issuer that was under way already, and whose outcome this is. */
      joined: z.string().exactOptional(),
    }),
  }),
  getPublicKeys: operation({
    method: "GET",
    path: "/secrets/:environment/:name/jwks",
    summary: "The public keys (RFC 7517) by which a secret's signed tokens are checked.",
    permission: "status.read",
    params: z.strictObject({ environment: name, name }),
    answer: z.object({ keys: z.array(z.record(z.string(), z.json())) }),
  }),
};
