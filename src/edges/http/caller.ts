/** Who asks, and may they: the bearer token becomes a caller, and each operation names the permission it needs. */
import type { FastifyRequest } from "fastify";
import type { AppContext } from "../../app/context.ts";
import { type Authenticated, authenticateToken } from "../../app/tokens/authenticate-token.ts";
import { can, isPermission } from "../../core/access/permissions.ts";
import { LockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";

export type Caller = Authenticated;

const BEARER = /^Bearer ([A-Za-z0-9_-]{8,200})$/;

/** Throws UNAUTHENTICATED. One message for everything: what is wrong with a token is nobody's business. */
export async function identify(context: AppContext, request: FastifyRequest): Promise<Caller> {
  const token = BEARER.exec(request.headers.authorization ?? "")?.[1];
  if (token === undefined) {
    throw new LockstepError("UNAUTHENTICATED", "Cannot answer: the request carries no valid token.");
  }
  return authenticateToken(context, SecretValue.of(token));
}

/** Throws FORBIDDEN. The protocol names permissions as text; one that does not exist grants nobody anything. */
export function assertMay({ actor, scopes }: Caller, permission: string): void {
  if (isPermission(permission) && can(scopes, permission)) return;
  throw new LockstepError("FORBIDDEN", `Cannot do this: the token "${actor.name}" lacks ${permission}.`, {
    details: { permission },
  });
}
