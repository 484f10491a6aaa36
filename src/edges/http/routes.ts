/**
 * Turns the table of operations into routes: checks parameters, query and body against their schemas, asks for the
 * permission, calls the handler. A handler per operation is demanded by the type; a route without an operation is
 * impossible.
 */
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { z } from "zod";
import type { AppContext } from "../../app/base/context.ts";
import { isMoving } from "../../core/access/permissions.ts";
import { LockstepError } from "../../core/errors.ts";
import type { ProgramOffer } from "../../protocol/agent/program.ts";
import { OPERATIONS, type OperationId, type Operations } from "../../protocol/api.ts";
import { API_PREFIX, type CheckedCall, type Operation } from "../../protocol/api-operation.ts";
import { problemsOf, wordIssue } from "../../protocol/config-problem.ts";
import { assertMay, type Caller, type Door, identify } from "./caller.ts";
import { markingClaims, runOnce } from "./idempotency.ts";
import { assertAddressTexts, assertBodyTexts } from "./well-formed.ts";

/** What a code tells a machine of the agents' listener. */
export interface AgentListenerAddress {
  readonly url: string;
  /** sha256 of its public key (SPKI, DER), base64url; null: its certificate is checked as usual. */
  readonly tlsKeyDigest: string | null;
  /** The agent's program that it serves; null: it has none. */
  readonly program: ProgramOffer | null;
}

export interface HandlerContext {
  readonly context: AppContext;
  readonly caller: Caller;
  /** Null: agents are not served. */
  readonly agentListener: AgentListenerAddress | null;
  /** Aborts when the caller goes away or the server closes. */
  readonly signal: AbortSignal;
}

export type Handlers = {
  readonly [Id in OperationId]: (
    call: CheckedCall<Operations[Id]>,
    handler: HandlerContext,
  ) => Promise<z.input<Operations[Id]["answer"]>>;
};

interface RouteSurroundings {
  readonly context: AppContext;
  readonly handlers: Handlers;
  readonly agentListener: AgentListenerAddress | null;
  readonly door: Door;
  readonly closing: AbortSignal;
}

/** What holds secrets' values in bodies. */
const SEALED = ["fields"];

export function registerOperations(app: FastifyInstance, surroundings: RouteSurroundings): void {
  const handlersContext = markingClaims(surroundings.context);
  for (const id of Object.keys(OPERATIONS) as OperationId[]) {
    const operation: Operation = OPERATIONS[id];
    app.route({
      method: operation.method,
      url: `${API_PREFIX}${operation.path}`,
      handler: async (request, reply) =>
        answer(id, operation, { request, reply, handlersContext, ...surroundings }),
    });
  }
}

interface Asked {
  readonly request: FastifyRequest;
  readonly reply: FastifyReply;
  /** Marks what a request changes as that request's. */
  readonly handlersContext: AppContext;
}

async function answer(
  id: OperationId,
  operation: Operation,
  { request, reply, ...surroundings }: RouteSurroundings & Asked,
): Promise<unknown> {
  const { context, agentListener, closing, door } = surroundings;
  const caller = await identify(context, request, door);
  if (operation.permission !== null) assertMay(caller, operation.permission);
  assertAddressTexts(request.params, "path");
  assertAddressTexts(request.query, "query");
  assertBodyTexts(request.body, SEALED);
  const call = {
    params: check(operation.params, request.params, "path"),
    query: check(operation.query, request.query, "query"),
    body: operation.body === null ? undefined : check(operation.body, request.body ?? {}, "body"),
  };
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  const handler: HandlerContext = {
    context: surroundings.handlersContext,
    caller,
    agentListener,
    signal: AbortSignal.any([gone.signal, closing]),
  };
  // The table's type pairs each id with its own call; only the loop over it cannot see that.
  const run = surroundings.handlers[id] as (call: unknown, handler: HandlerContext) => Promise<unknown>;
  if (operation.method === "GET") return run(call, handler);
  if (operation.permission !== null && isMoving(operation.permission))
    await context.store.read.meta.assertMayMove();
  return runOnce(request, operation, { context, caller }, () => run(call, handler));
}

function check(schema: z.ZodType, input: unknown, where: "path" | "query" | "body"): unknown {
  const parsed = schema.safeParse(input, { error: wordIssue });
  if (parsed.success) return parsed.data;
  const problems = problemsOf(parsed.error.issues);
  const named = problems.slice(0, 5).map(({ path, message }) => `${path.join(".") || where} ${message}`);
  // A configuration's own problems get the lines they are about from the CLI, which knows the file.
  if (where === "body" && problems.every(({ path }) => path[0] === "config")) {
    throw new LockstepError("CONFIG_INVALID", `The configuration is not valid: ${named.join("; ")}.`, {
      details: { problems: problems.map(({ path, ...rest }) => ({ path: path.slice(1), ...rest })) },
    });
  }
  throw new LockstepError("INPUT_INVALID", `Cannot read the request's ${where}: ${named.join("; ")}.`, {
    details: { where, problems },
  });
}
