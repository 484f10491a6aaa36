/** A new API token, shown once: `lsk_<id>_<random>`. The store keeps a hash; the random part has 256 bits. */
import { createHash, randomBytes } from "node:crypto";
import { isScope, mayHandOut, SCOPES } from "../../core/access/permissions.ts";
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { AppContext } from "../base/context.ts";

export interface NewToken {
  readonly name: string;
  readonly scopes: readonly string[];
  /** Null: until it is revoked. */
  readonly expiresInMs: number | null;
  /** The maker's own scopes: nobody hands out what they lack. Left out by Lockstep itself. */
  readonly madeWith?: readonly string[];
}

export interface CreatedToken {
  readonly id: string;
  readonly token: SecretValue;
  readonly expiresAt: Date | null;
}

const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._@-]{0,79}$/u;

const MAX_LIFE_MS = 10 * 366 * 86_400_000;

/** Throws INPUT_INVALID, FORBIDDEN. */
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
  assertLife(wanted.expiresInMs);
  if (wanted.madeWith !== undefined && !mayHandOut(wanted.madeWith, wanted.scopes)) {
    throw new LockstepError(
      "FORBIDDEN",
      "Cannot create a token: it would be allowed more than its maker is.",
      {
        hint: "Leave out the scopes that your own token lacks, or use one that has them.",
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

/** `NaN` or a date beyond what the store can hold would make a token that never expires, or no token at all. */
function assertLife(expiresInMs: number | null): void {
  if (expiresInMs === null || (expiresInMs > 0 && expiresInMs <= MAX_LIFE_MS)) return;
  throw new LockstepError(
    "INPUT_INVALID",
    "Cannot create a token: its life must be between now and ten years.",
  );
}

/** Plain SHA-256 suffices: the random part cannot be guessed, so a slow hash would only slow us. */
export function hashToken(random: string): string {
  return createHash("sha256").update(random).digest("base64url");
}
