/**
 * Makes new values of secrets that end by themselves: tokens. What it works with (a signing key, a client's secret, a
 * refresh token) are secrets of the same environment, which it names and is given; so they are sealed, on record and
 * rotate like all others.
 *
 * Throws ISSUER_UNAVAILABLE and ISSUER_LIMITED when it may be tried again, ISSUER_REFUSED when a person must act,
 * ISSUER_ANSWER for an answer that cannot be used, ISSUER_OUTCOME_UNKNOWN when a request was sent whose answer is lost,
 * and ISSUER_GRANT_GONE when what the request uses up is not valid any more. Foreign texts never pass.
 *
 * An issuer has what came in place of a used input kept first (`keep`), and judges the rest of the answer then: once the
 * provider has acted, nothing that is wrong with the token may cost the successor.
 */

import type { JsonObject } from "../json.ts";
import type { SecretValue } from "../secret-value.ts";

/** A named secret's usable versions, newest first; the first is the current one. */
export interface IssuerInput {
  readonly versions: readonly {
    readonly version: number;
    readonly value: SecretValue;
    readonly madeAtMs: number;
  }[];
}

export interface IssueRequest {
  /** As lockstep.yaml says it, below the issuer's name; read already. */
  readonly config: JsonObject;
  readonly inputs: ReadonlyMap<string, IssuerInput>;
  readonly nowMs: () => number;
  /** Told each value that arrives, before it could show anywhere. */
  readonly hide: (value: SecretValue) => void;
  /**
   * Told what stands in for the input that this request used up, a new refresh token, before anything else of the answer
   * is judged. Resolves once it is committed, and hides it. At most once a request.
   */
  readonly keep: (successor: SecretValue) => Promise<void>;
}

/**
 * `for`: ms from the request's begin. `until`: an instant, ms since the epoch, of the issuer's clock. `unreadable`: it
 * was said, and `why` completes "Cannot use the issuer's token: …". Null: nobody said.
 */
export type IssuedLife =
  | { readonly kind: "for" | "until"; readonly ms: number }
  | { readonly kind: "unreadable"; readonly why: string }
  | null;

export interface Issued {
  readonly value: SecretValue;
  readonly life: IssuedLife;
}

export interface Issuer {
  readonly kind: string;
  /** The names of the secrets that it works with. */
  inputs(config: JsonObject): readonly string[];
  /** Whose limits a request counts against: an origin. Null: nobody is asked. */
  origin(config: JsonObject): string | null;
  /** Requests to its origin from all workers together. Absent: as many as are due. */
  perMinute?(config: JsonObject): number;
  /** Of `inputs`, what a request may use up: asked with again it might be refused, and everything with it. */
  singleUse(config: JsonObject): string | null;
  issue(request: IssueRequest, signal: AbortSignal): Promise<Issued>;
  /** By which its tokens are checked, as JWKs, newest first; absent where nobody needs one. */
  publicKeys?(config: JsonObject, inputs: IssueRequest["inputs"]): Promise<readonly JsonObject[]>;
}
