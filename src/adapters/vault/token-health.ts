/** What is told of the own token to whoever watches. Pure. */
import type { VaultTokenHealth } from "../../core/ports/vault-token.ts";
import type { VaultFailure } from "./failure.ts";
import type { Grant } from "./token-forms.ts";

/** What doctor may tell of the own token before something fails; why in this room's words. */
export interface TokenHealth extends Omit<VaultTokenHealth, "logIn" | "keeps" | "failure"> {
  readonly failure: VaultFailure | null;
}

export interface Judged extends Pick<TokenHealth, "state" | "isHeld" | "failure"> {
  readonly held: { readonly grant: Grant; readonly usesLeft: number } | null;
  /** A log-in gives another one at its end. */
  readonly isReplaced: boolean;
}

export function healthOf({ held, isReplaced, ...told }: Judged): TokenHealth {
  const { lifeMs = null, grantedAtMs = 0, madeAtMs = null, endsForGoodAtMs = null } = held?.grant ?? {};
  return {
    ...told,
    madeAt: dateOf(madeAtMs),
    endsAt: dateOf(lifeMs === null ? null : grantedAtMs + lifeMs),
    endsForGoodAt: dateOf(isReplaced ? null : endsForGoodAtMs),
    usesLeft: held !== null && held.grant.usesLeft > 0 ? held.usesLeft : null,
  };
}

function dateOf(ms: number | null): Date | null {
  return ms === null ? null : new Date(ms);
}
