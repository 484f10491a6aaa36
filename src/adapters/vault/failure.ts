/** Why a call to Vault did not do what it should: a verdict and our own words, never the server's text. */

/**
 * - `absent`: nothing there, and nothing known of it
 * - `mount`: no such mount, or an engine of another kind or version
 * - `token`: the own token is dead, and a new log-in did not help, or is not possible
 * - `login`: the log-in was refused
 * - `permission`: a policy lacks a right
 * - `conflict`: check-and-set found another version
 * - `invalid`: too large, too complex, or a path that the server cannot hold
 * - `rate-limited`, `later`: asked again by itself; sealed, no active node, upgrading, maintenance, unreachable
 * - `behind`: a node that does not know our last write yet
 * - `outcome-unknown`: a write was sent, and no definite answer came
 * - `key`: Transit cannot do it with that key: missing, a version that is not allowed (any more), a text that does not open
 * - `protocol`: what answered is not what it should be
 */
export type VaultVerdict =
  | "absent"
  | "mount"
  | "token"
  | "login"
  | "permission"
  | "conflict"
  | "invalid"
  | "rate-limited"
  | "later"
  | "behind"
  | "outcome-unknown"
  | "key"
  | "protocol";

export class VaultFailure extends Error {
  readonly verdict: VaultVerdict;
  /** Null: no answer came. */
  readonly status: number | null;
  readonly retryAfterMs: number | undefined;

  /** `reason`: in our own words, to stand behind "Vault … :". */
  constructor(
    verdict: VaultVerdict,
    reason: string,
    { status = null, retryAfterMs }: { status?: number | null; retryAfterMs?: number | undefined } = {},
  ) {
    super(reason);
    this.name = "VaultFailure";
    this.verdict = verdict;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}
