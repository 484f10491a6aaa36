/** Turns a bearer token into who it is. One answer for every kind of wrong token. */
import { timingSafeEqual } from "node:crypto";
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import type { AppContext } from "../base/context.ts";
import { hashToken } from "./create-token.ts";

const TOKEN = /^lsk_([0-9a-f]{16})_([A-Za-z0-9_-]{43})$/;

const TOUCH_MS = 60_000;

export interface Authenticated {
  readonly actor: Actor;
  readonly scopes: readonly string[];
}

/** Throws UNAUTHENTICATED. */
export async function authenticateToken(context: AppContext, token: SecretValue): Promise<Authenticated> {
  const [, id, random] = TOKEN.exec(token.reveal()) ?? [];
  if (id === undefined || random === undefined) throw refused();
  const known = await context.store.read.tokens.find(id);
  // An unknown id compares against a hash of nothing, so that its time tells as little as a wrong random part's.
  const matches = timingSafeEqual(
    Buffer.from(hashToken(random)),
    Buffer.from(known?.secretHash ?? hashToken("")),
  );
  if (known === null || !matches || known.revokedAt !== null) throw refused();
  if (known.expiresAt !== null && known.expiresAt <= context.clock.now()) throw refused();
  // The store itself writes at most once a minute; this spares every request a further transaction.
  if (known.lastUsedAt === null || context.clock.now().getTime() - known.lastUsedAt.getTime() > TOUCH_MS) {
    await context.store.transaction((tx) => tx.tokens.touch(id));
  }
  return { actor: { kind: "token", id, name: known.name }, scopes: known.scopes };
}

function refused(): LockstepError {
  return new LockstepError("UNAUTHENTICATED", "Cannot answer: the request carries no valid token.");
}
