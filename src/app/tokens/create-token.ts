/** A new API token, shown once: `lsk_<id>_<random>`. The store keeps a hash; the random part has 256 bits. */
import { createHash, randomBytes } from "node:crypto";
import { isScope, SCOPES } from "../../core/access/permissions.ts";
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { AppContext } from "../context.ts";

export interface NewToken {
  readonly name: string;
  readonly scopes: readonly string[];
  /** Null: until it is revoked. */
  readonly expiresInMs: number | null;
}

export interface CreatedToken {
  readonly id: string;
  readonly token: SecretValue;
  readonly expiresAt: Date | null;
}

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,79}$/u;

/** Throws INPUT_INVALID. */
export async function createToken(
  context: AppContext,
  actor: Actor,
  wanted: NewToken,
): Promise<CreatedToken> {
  if (!NAME.test(wanted.name)) {
    throw new LockstepError(
      "INPUT_INVALID",
      "Cannot create a token: its name must be 1 to 80 letters, digits, spaces and . _ @ -.",
    );
  }
  const unknown = wanted.scopes.filter((scope) => !isScope(scope));
  if (unknown.length > 0 || wanted.scopes.length === 0) {
    throw new LockstepError(
      "INPUT_INVALID",
      "Cannot create a token: name at least one scope, and only known ones.",
      {
        hint: `Scopes are ${SCOPES.join(", ")}.`,
      },
    );
  }
  const id = randomBytes(8).toString("hex");
  const random = randomBytes(32).toString("base64url");
  const expiresAt =
    wanted.expiresInMs === null ? null : new Date(context.clock.now().getTime() + wanted.expiresInMs);
  await context.store.transaction(async (tx) => {
    await tx.tokens.add({
      id,
      name: wanted.name,
      secretHash: hashToken(random),
      scopes: wanted.scopes,
      createdBy: actor.name,
      ...(expiresAt === null ? {} : { expiresAt }),
    });
    await tx.audit.append({
      action: "token.created",
      actor,
      subject: { kind: "token", id, name: wanted.name },
      details: { scopes: [...wanted.scopes], expiresAt: expiresAt?.toISOString() ?? null },
    });
  });
  return { id, token: SecretValue.of(`lsk_${id}_${random}`), expiresAt };
}

/** Plain SHA-256 suffices: the random part cannot be guessed, so a slow hash would only slow us. */
export function hashToken(random: string): string {
  return createHash("sha256").update(random).digest("base64url");
}
