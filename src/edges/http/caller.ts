/** Who asks, and may they: the bearer token becomes a caller, and each operation names the permission it needs. */
import type { FastifyRequest } from "fastify";
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";

export interface Caller {
  readonly actor: Actor;
  readonly scopes: readonly string[];
}

export interface Doorkeeper {
  /** Throws UNAUTHENTICATED. */
  authenticate(token: SecretValue): Promise<Caller>;
  /** Throws FORBIDDEN. */
  assertMay(caller: Caller, permission: string): void;
}

const BEARER = /^Bearer ([A-Za-z0-9_-]{8,200})$/;

/** Throws UNAUTHENTICATED. One message for everything: what is wrong with a token is nobody's business. */
export async function identify(request: FastifyRequest, doorkeeper: Doorkeeper): Promise<Caller> {
  const token = BEARER.exec(request.headers.authorization ?? "")?.[1];
  if (token === undefined) {
    throw new LockstepError("UNAUTHENTICATED", "Cannot answer: the request carries no valid token.");
  }
  return doorkeeper.authenticate(SecretValue.of(token));
}
