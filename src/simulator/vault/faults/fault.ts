/** What can go wrong with one request, as data. `executed`: the work was done although the answer says otherwise. */

export type Fault =
  /** Any answer. A text is the body as it is; anything else becomes JSON. */
  | {
      readonly kind: "answer";
      readonly status: number;
      readonly body?: unknown;
      readonly headers?: Readonly<Record<string, string>>;
      readonly executed?: boolean;
    }
  | { readonly kind: "sealed" | "namespace-sealed" | "api-locked" }
  /** 307 to another address of the double, where the same server would answer; `executed`: a forward broke half-way. */
  | { readonly kind: "standby-redirect"; readonly executed?: boolean }
  | { readonly kind: "redirect"; readonly to: string; readonly status?: number }
  /** Three texts of one state. */
  | {
      readonly kind: "no-active-node";
      readonly form?: "no-active" | "not-active" | "not-found";
      readonly executed?: boolean;
    }
  | { readonly kind: "rate-limited" | "lease-quota"; readonly retryAfterSeconds?: number }
  /** The audit devices do not write: before the work, or after it was done. */
  | { readonly kind: "audit-blocked"; readonly executed: boolean }
  | {
      readonly kind: "storage-error" | "bad-gateway" | "html" | "not-json" | "wrong-shape";
      readonly executed?: boolean;
    }
  | { readonly kind: "storage-full" }
  | { readonly kind: "upgrading"; readonly form?: "upgrading" | "waiting" }
  /** 412 to a request that sends an index, unless it also asks to be forwarded. */
  | { readonly kind: "behind-index" }
  /** 403 of a token that this node does not know, or 400 that its check failed. */
  | { readonly kind: "token-unknown"; readonly form?: "forbidden" | "check-failed" }
  | { readonly kind: "policy-denied" }
  /** The true answer, with warnings: 200 where 204 is usual. */
  | { readonly kind: "warnings"; readonly warnings?: readonly string[] }
  /** The connection ends, before the answer or after `bytes` of it. */
  | { readonly kind: "cut"; readonly executed: boolean; readonly bytes?: number }
  /** Until released, or for `ms`: the `request` before it is executed, or the finished `answer`. */
  | { readonly kind: "held"; readonly at: "request" | "answer"; readonly ms?: number };

export interface FaultMatch {
  readonly method?: string | readonly string[];
  /** Decoded, without `/v1/`: exact, as a prefix with `*` at its end, or a pattern. */
  readonly path?: string | RegExp;
  readonly when?: (call: MatchedCall) => boolean;
  /** So many matches pass first. */
  readonly skip?: number;
  /** Default 1. */
  readonly times?: number | "always";
}

/** What a match sees. */
export interface MatchedCall {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}
