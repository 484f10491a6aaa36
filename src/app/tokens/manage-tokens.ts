/** Lists and revokes API tokens. */
import type { Actor } from "../../core/actor.ts";
import { LockstepError } from "../../core/errors.ts";
import type { TokenRecord } from "../../core/store/tokens.ts";
import type { AppContext } from "../base/context.ts";

export function listTokens(context: AppContext): Promise<readonly TokenRecord[]> {
  return context.store.read.tokens.list();
}

/** Takes effect with the next request. Throws NOT_FOUND when no live token has this id. */
export async function revokeToken(context: AppContext, actor: Actor, id: string): Promise<void> {
  await context.store.transaction(async (tx) => {
    const token = await tx.tokens.find(id);
    if (token === null || !(await tx.tokens.revoke(id))) {
      throw new LockstepError("NOT_FOUND", "Cannot revoke: there is no live token of this id.", {
        hint: "`lockstep token list` shows the ids.",
      });
    }
    await tx.audit.append({
      action: "token.revoked",
      actor,
      subject: { kind: "token", id, name: token.name },
    });
  });
}
