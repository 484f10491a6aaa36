/** Why a call to Vault did not do what it should: a verdict and our own words, never the server's text. */
import type { VaultMethod } from "./vault.ts";

/**
 * - `absent`: nothing there, and nothing known of it
 * - `mount`: no such mount, or an engine of another kind or version
 * - `namespace`: the server does not know the one that is set, or knows none
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
  | "namespace"
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

/**
 * What Transit's words say of the key; anything else that they say tells nothing, and is `later`.
 *
 * - `missing`: there is no such key
 * - `too-old`: min_decryption_version hides the version, which can be undone
 * - `too-new`: the server does not know the version yet: it was restored from an older backup, or is another one
 * - `soft-deleted`: OpenBao keeps it, and does not use it
 * - `unopened`: the text was not made by this key, or was changed
 */
export type TransitTrouble = "missing" | "too-old" | "too-new" | "soft-deleted" | "unopened";

/** What was asked, for whoever names the right that it needs. */
export interface AskedAt {
  readonly method: VaultMethod;
  /** Segments from the mount on. */
  readonly path: readonly string[];
  /** Null: the root namespace. */
  readonly namespace: string | null;
}

export class VaultFailure extends Error {
  readonly verdict: VaultVerdict;
  /** With the verdict `key`; otherwise null. */
  readonly trouble: TransitTrouble | null;
  /** Null: no answer came. */
  readonly status: number | null;
  readonly retryAfterMs: number | undefined;
  /** With the verdict `permission`, where the line knows it; otherwise null. */
  readonly at: AskedAt | null;

  /** `reason`: in our own words, to stand behind "Vault … :". */
  constructor(
    verdict: VaultVerdict,
    reason: string,
    {
      status = null,
      retryAfterMs,
      trouble = null,
      at = null,
    }: {
      status?: number | null;
      retryAfterMs?: number | undefined;
      trouble?: TransitTrouble | null;
      at?: AskedAt | null;
    } = {},
  ) {
    super(reason);
    this.name = "VaultFailure";
    this.verdict = verdict;
    this.trouble = trouble;
    this.status = status;
    this.retryAfterMs = retryAfterMs;
    this.at = at;
  }
}
