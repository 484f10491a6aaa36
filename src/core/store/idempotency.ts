import type { Json } from "../json.ts";

export interface IdempotentRequest {
  readonly tokenId: string;
  readonly key: string;
  /** Keyed digest of method, address and body; never the body. */
  readonly requestHmac: string;
}

export type EarlierRequest =
  /** Under way, or its process died: what came of it is not known. */
  | { readonly state: "open"; readonly requestHmac: string }
  /** What it changed is committed, and its answer is not known here. */
  | { readonly state: "changed"; readonly requestHmac: string }
  | { readonly state: "done"; readonly requestHmac: string; readonly status: number; readonly answer: Json };

export interface IdempotencyRepo {
  /** Null: the key was free and is now ours. Keys older than a day are forgotten. */
  begin(request: IdempotentRequest): Promise<EarlierRequest | null>;
  /** In the transaction of a change: it is this request's, whatever becomes of the rest. */
  mark(tokenId: string, key: string): Promise<void>;
  /** `answer` holds ids, names and states only; null where the answer was confidential. */
  finish(
    tokenId: string,
    key: string,
    result: { readonly status: number; readonly answer: Json },
  ): Promise<void>;
  /** It failed: the key may be used again, unless something of it is committed. */
  forget(tokenId: string, key: string): Promise<void>;
}
