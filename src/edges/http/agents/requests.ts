/**
 * What stands between the wire and a use case: whose signed request this is, what its body says, and what may be told of
 * an error to somebody who has proven nothing.
 */
import { createHash } from "node:crypto";
import type { FastifyRequest } from "fastify";
import type { z } from "zod";
import { authenticateAgent } from "../../../app/agents/authenticate-agent.ts";
import type { AppContext } from "../../../app/base/context.ts";
import { isRingAway, LockstepError } from "../../../core/errors.ts";
import type { AgentRecord } from "../../../core/store/agents.ts";
import { AUTHORIZATION_SCHEME } from "../../../protocol/agent/request-token.ts";
import type { Problem } from "../../../protocol/api-parts.ts";
import { toProblem } from "../problem.ts";
import { assertBodyTexts } from "../well-formed.ts";
import type { Budget } from "./budgets.ts";

const AUTHORIZATION = new RegExp(
  `^${AUTHORIZATION_SCHEME} ([A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+\\.[A-Za-z0-9_-]+)$`,
);

/** Before the body is waited for. Throws UNAUTHENTICATED. */
export function tokenOf(request: FastifyRequest): string {
  const token = AUTHORIZATION.exec(request.headers.authorization ?? "")?.[1];
  if (token !== undefined) return token;
  throw new LockstepError("UNAUTHENTICATED", "Cannot answer: the request carries no valid signature.");
}

/**
 * The digest is over the bytes as they came, and before anybody looks into them. Throws as `authenticateAgent` does, and
 * TOO_MANY_REQUESTS for an agent that has used up its share.
 */
export function authenticate(
  context: AppContext,
  request: FastifyRequest,
  budget: Budget,
): Promise<AgentRecord> {
  return authenticateAgent(context, {
    admit: (agentId) => spend(budget, agentId),
    token: tokenOf(request),
    method: request.method === "GET" ? "GET" : "POST",
    path: request.url,
    bodyDigest: createHash("sha256").update(bytesOf(request)).digest("base64url"),
  });
}

/** Throws TOO_MANY_REQUESTS. */
export function spend(budget: Budget, who: string): void {
  const retryAfterMs = budget.take(who);
  if (retryAfterMs === 0) return;
  throw new LockstepError("TOO_MANY_REQUESTS", "Cannot answer now: it was asked too often.", {
    retryAfterMs,
  });
}

/** Throws INPUT_INVALID, without a word about the content. */
export function bodyOf<Schema extends z.ZodType>(request: FastifyRequest, schema: Schema): z.output<Schema> {
  let parsed: z.ZodSafeParseResult<z.output<Schema>> | null = null;
  try {
    const document: unknown = JSON.parse(bytesOf(request).toString("utf8"));
    assertBodyTexts(document);
    parsed = schema.safeParse(document);
  } catch {
    // Not JSON, or a text that nobody could keep: told as what does not fit.
  }
  if (parsed?.success === true) return parsed.data;
  throw new LockstepError("INPUT_INVALID", "Cannot read the request: its body is not what belongs here.", {
    hint: "Run the same release of Lockstep on the server and beside the services.",
  });
}

function bytesOf({ body }: FastifyRequest): Buffer {
  return Buffer.isBuffer(body) ? body : Buffer.alloc(0);
}

/** No details, and of failures inside Lockstep not even which: who asks may be anybody. */
export function tellAgent(told: LockstepError): Problem {
  // For an agent it passes by itself, whoever must do something about it.
  const error = isRingAway(told) ? new LockstepError("KEY_RING_UNAVAILABLE", told.message) : told;
  const { aheadSeconds } = error.details;
  const isClock = error.code === "AGENT_CLOCK" && typeof aheadSeconds === "number";
  const isOurs =
    error.family === "unavailable" || error.family === "integrity" || error.family === "invariant";
  return {
    ...toProblem(error),
    ...(isOurs
      ? { detail: "Cannot answer now.", hint: "Ask again later; the server's log tells more." }
      : {}),
    details: isClock ? { aheadSeconds } : {},
  };
}
