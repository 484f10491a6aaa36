/** What is told of the own token to whoever watches. Pure. */
import type { VaultFailure } from "./failure.ts";
import type { Grant } from "./token-forms.ts";

/** What doctor may tell of the own token before something fails. */
export interface TokenHealth {
  /** `refused`: a person must act. `failing`: not renewed, or no log-in, and tried again. */
  readonly state: "unused" | "good" | "failing" | "refused";
  /** A token is held: it serves until its end, whatever failed since. */
  readonly isHeld: boolean;
  /** Null: not told. */
  readonly madeAt: Date | null;
  readonly endsAt: Date | null;
  /** No renewal goes beyond, and somebody must give another token; null: none known, or a log-in replaces it. */
  readonly endsForGoodAt: Date | null;
  /** Null: without limit. */
  readonly usesLeft: number | null;
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
