/** Who asks, and may they: the bearer token becomes a caller, and each operation names the permission it needs. */
import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { AppContext } from "../../app/base/context.ts";
import { type Authenticated, authenticateToken } from "../../app/tokens/authenticate-token.ts";
import { can, isPermission } from "../../core/access/permissions.ts";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";
import { isLoopbackAddress } from "../../lib/addresses.ts";
import { FailedTries } from "./agents/failed-tries.ts";
import { TrustedProxies } from "./source.ts";

export type Caller = Authenticated;

const BEARER = /^Bearer ([A-Za-z0-9_-]{8,200})$/;

/** Who says who asks. Of one listener. */
export interface Door {
  readonly tries: FailedTries;
  readonly proxies: TrustedProxies;
  /** Digests of tokens that were accepted by this process, the last used last. */
  readonly known: Set<string>;
}

const MAX_KNOWN = 1_000;
const MAX_FAILED_PER_SOURCE = 30;

export function createDoor(context: AppContext, trustedProxies: readonly string[]): Door {
  const now = () => context.clock.now().getTime();
  return {
    tries: new FailedTries({ now, maxPerSource: MAX_FAILED_PER_SOURCE, maxInAll: 1_000 }),
    proxies: new TrustedProxies(trustedProxies),
    known: new Set(),
  };
}

/**
 * Throws UNAUTHENTICATED, with one message for everything: what is wrong with a token is nobody's business. Throws
 * TOO_MANY_TRIES where it failed too often from one source: a token that was good before is still let in, or whoever
 * shares an address with somebody else's mistake would stand outside. This machine's own users are not counted: they
 * share one address, and one of them would keep the others out.
 */
export async function identify(
  context: AppContext,
  request: FastifyRequest,
  { tries, proxies, known }: Door,
): Promise<Caller> {
  const source = proxies.sourceOf(request.socket.remoteAddress ?? "", request.headers);
  const token = BEARER.exec(request.headers.authorization ?? "")?.[1];
  const digest = createHash("sha256")
    .update(token ?? "")
    .digest("base64url");
  const waitMs = isLoopbackAddress(source) || known.has(digest) ? 0 : tries.waitMs(source);
  if (waitMs > 0) {
    throw new LockstepError(
      "TOO_MANY_TRIES",
      "Cannot answer now: tokens failed too often from this address.",
      {
        retryAfterMs: waitMs,
        hint: "Wait a minute, and use a token that is still valid.",
      },
    );
  }
  try {
    if (token === undefined) throw refused();
    const caller = await authenticateToken(context, SecretValue.of(token));
    known.delete(digest);
    known.add(digest);
    for (const oldest of known) {
      if (known.size <= MAX_KNOWN) break;
      known.delete(oldest);
    }
    return caller;
  } catch (error) {
    known.delete(digest);
    if (toLockstepError(error).family === "unauthenticated") tries.failed(source);
    throw error;
  }
}

function refused(): LockstepError {
  return new LockstepError("UNAUTHENTICATED", "Cannot answer: the request carries no valid token.");
}

/** Throws FORBIDDEN. The protocol names permissions as text; one that does not exist grants nobody anything. */
export function assertMay({ actor, scopes }: Caller, permission: string): void {
  if (isPermission(permission) && can(scopes, permission)) return;
  throw new LockstepError("FORBIDDEN", `Cannot do this: the token "${actor.name}" lacks ${permission}.`, {
    details: { permission },
  });
}
