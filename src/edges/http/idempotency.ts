/**
 * The same write sent twice is done once: a CLI that lost the answer may repeat its request under the same
 * Idempotency-Key. What is kept: a keyed digest of the request and an answer without values. A confidential answer is
 * not kept; repeating such a request is refused and says so.
 *
 * A request that failed leaves its key free, unless nobody knows what came of it.
 */
import type { FastifyRequest } from "fastify";
import type { AppContext } from "../../app/context.ts";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import type { EarlierRequest } from "../../core/ports/store/idempotency.ts";
import type { Json } from "../../core/ports/target.ts";
import { SecretValue } from "../../core/secret-value.ts";
import type { Operation } from "../../protocol/api-operation.ts";
import type { Caller } from "./caller.ts";

const KEY = /^[\x21-\x7e]{8,200}$/;

/** Separates these digests from those of secrets' values, which are keyed by secret ids. */
const DIGEST_SCOPE = "lockstep/idempotency";

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
  try {
    const answer = await run();
    const kept = operation.confidential ? null : (answer as Json);
    await context.store.transaction((tx) =>
      tx.idempotency.finish(tokenId, key, { status: 200, answer: kept }),
    );
    return answer;
  } catch (error) {
    if (toLockstepError(error).verdict !== "read-back") {
      await context.store.transaction((tx) => tx.idempotency.forget(tokenId, key));
    }
    throw error;
  }
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

function digestOf(context: AppContext, request: FastifyRequest): string {
  const text = JSON.stringify([request.method, request.url, request.body ?? null]);
  return context.fingerprinter.fingerprint(DIGEST_SCOPE, SecretValue.of(text));
}

function repeat(earlier: EarlierRequest, requestHmac: string, operation: Operation): unknown {
  if (earlier.requestHmac !== requestHmac) {
    throw new LockstepError(
      "IDEMPOTENCY_REUSED",
      "Cannot do this: its Idempotency-Key belongs to another request.",
    );
  }
  if (earlier.state === "open") {
    throw new LockstepError(
      "IDEMPOTENCY_REUSED",
      "Cannot repeat this yet: the same request is still under way.",
      {
        hint: "Look with `lockstep status` or `lockstep history`, then send it again with a new Idempotency-Key if needed.",
      },
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
