/**
 * The same write sent twice is done once: a CLI that lost the answer may repeat its request under the same
 * Idempotency-Key. What is kept: a keyed digest of the request and an answer without values. A confidential answer is
 * not kept; repeating such a request is refused and says so.
 *
 * The key is claimed before anything is done, and each transaction of the request marks the claim as its own: so a crash,
 * a lost connection or a full disk between the change and its record cannot make the change happen twice. A claim without
 * an end is answered by "look first". A request that failed leaves its key free where nothing of it is committed.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { createHmac } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { AppContext } from "../../app/base/context.ts";
import { isRingAway, LockstepError, toLockstepError } from "../../core/errors.ts";
import type { Json } from "../../core/json.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { EarlierRequest } from "../../core/store/idempotency.ts";
import type { Operation } from "../../protocol/api-operation.ts";
import type { Caller } from "./caller.ts";

const KEY = /^[\x21-\x7e]{8,200}$/;

/** Separates these digests from those of secrets' values, which are keyed by secret ids. */
const DIGEST_SCOPE = "lockstep/idempotency";

/** Which request runs, for the transactions that it begins wherever that is. */
const claims = new AsyncLocalStorage<{ readonly tokenId: string; readonly key: string }>();

/** `run` works on a context of `markingClaims`. Throws IDEMPOTENCY_REUSED, REQUEST_OUTCOME_UNKNOWN, and what `run` does. */
export async function runOnce(
  request: FastifyRequest,
  operation: Operation,
  { context, caller }: { readonly context: AppContext; readonly caller: Caller },
  run: () => Promise<unknown>,
): Promise<unknown> {
  const key = readKey(request);
  if (key === null) return run();
  const tokenId = caller.actor.id;
  const requestHmac = digestOf(context, request);
  const earlier = await context.store.transaction((tx) =>
    tx.idempotency.begin({ tokenId, key, requestHmac }),
  );
  if (earlier !== null) return repeat(earlier, requestHmac, operation);
  let answer: unknown;
  try {
    answer = await claims.run({ tokenId, key }, run);
  } catch (error) {
    if (toLockstepError(error).verdict !== "read-back") {
      // The store may be away: then the claim stays, and whoever repeats the request is told to look.
      await context.store.transaction((tx) => tx.idempotency.forget(tokenId, key)).catch(() => undefined);
    }
    throw error;
  }
  const kept = operation.confidential ? null : (answer as Json);
  try {
    await context.store.transaction((tx) =>
      tx.idempotency.finish(tokenId, key, { status: 200, answer: kept }),
    );
  } catch (error) {
    // It is done, and its caller learns so now. Only a repetition will be told to look.
    context.log.warn("answer not recorded", { operation: operation.path, code: toLockstepError(error).code });
  }
  return answer;
}

/** Its transactions commit together with the mark that they are the running request's. For all handlers, made once. */
export function markingClaims(context: AppContext): AppContext {
  const { store } = context;
  return {
    ...context,
    store: {
      read: store.read,
      close: () => store.close(),
      transaction: (work) =>
        store.transaction(async (tx) => {
          const result = await work(tx);
          const claim = claims.getStore();
          if (claim !== undefined) await tx.idempotency.mark(claim.tokenId, claim.key);
          return result;
        }),
    },
  };
}

function readKey(request: FastifyRequest): string | null {
  const key = request.headers["idempotency-key"];
  if (key === undefined) return null;
  if (typeof key === "string" && KEY.test(key)) return key;
  throw new LockstepError(
    "INPUT_INVALID",
    "Cannot use the Idempotency-Key: it must be 8 to 200 visible characters.",
  );
}

/**
 * While the key ring is away since the start, keyed by what the caller shows and nobody keeps: requests that need no value
 * are served all the same. Repeated after the ring has come, such a request is refused as another one.
 */
function digestOf(context: AppContext, request: FastifyRequest): string {
  const text = JSON.stringify([request.method, request.url, request.body ?? null]);
  try {
    return context.fingerprinter.fingerprint(DIGEST_SCOPE, SecretValue.of(text));
  } catch (error) {
    const shown = request.headers.authorization;
    if (!isRingAway(toLockstepError(error)) || shown === undefined) throw error;
    return createHmac("sha256", `${DIGEST_SCOPE}\0${shown}`).update(text).digest("base64url");
  }
}

function repeat(earlier: EarlierRequest, requestHmac: string, operation: Operation): unknown {
  if (earlier.requestHmac !== requestHmac) {
    throw new LockstepError(
      "IDEMPOTENCY_REUSED",
      "Cannot do this: its Idempotency-Key belongs to another request.",
    );
  }
  if (earlier.state !== "done") {
    throw new LockstepError(
      "REQUEST_OUTCOME_UNKNOWN",
      earlier.state === "open"
        ? "Cannot repeat this: the same request was begun, and is under way or was cut off."
        : "Cannot repeat this: the same request changed something, and how it ended was not recorded.",
    );
  }
  if (operation.confidential) {
    throw new LockstepError(
      "IDEMPOTENCY_REUSED",
      "This was done already; its answer was confidential and not kept.",
    );
  }
  return earlier.answer;
}
