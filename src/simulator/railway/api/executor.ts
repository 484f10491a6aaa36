/**
 * Executes one GraphQL request. Documents that do not parse or validate, and variables that do not fit, are answered
 * with 400; everything that fails in execution with 200 and `errors`, as the platform does. Unexpected failures are
 * masked the way the platform masks them.
 */
import { randomBytes } from "node:crypto";
import type { IncomingMessage } from "node:http";
import {
  type ExecutionResult,
  execute,
  GraphQLError,
  type GraphQLFormattedError,
  type GraphQLSchema,
  getOperationAST,
} from "graphql";
import { createHandler, type Handler } from "graphql-http";
import type { RequestContext } from "./context.ts";
import { DocumentCache } from "./document-cache.ts";
import { MUTATIONS } from "./mutations.ts";
import { QUERIES } from "./queries.ts";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const JSON_HEADERS = { "content-type": "application/json; charset=utf-8" };

export class Executor {
  readonly #handler: Handler<IncomingMessage, RequestContext>;

  constructor(schema: GraphQLSchema) {
    const documents = new DocumentCache(schema);
    this.#handler = createHandler<IncomingMessage, RequestContext, RequestContext>({
      // Ours, not its own: a bundler may load graphql twice, and one instance refuses the other's schema.
      execute,
      getOperationAST,
      onSubscribe(request, { query, operationName, variables }) {
        const { document, errors, code } = documents.read(query);
        if (document === null) return refused(errors, code);
        return {
          schema,
          document,
          operationName: operationName ?? null,
          variableValues: variables ?? null,
          contextValue: request.context,
          rootValue: { ...QUERIES, ...MUTATIONS },
        };
      },
      onOperation(_request, _args, result) {
        if (!("data" in result)) return refused(result.errors ?? [], "BAD_USER_INPUT");
        return undefined;
      },
      formatError: masked,
    });
  }

  async execute(request: IncomingMessage, body: string, context: RequestContext): Promise<Answer> {
    const [text, { status, headers }] = await this.#handler({
      method: request.method ?? "POST",
      url: request.url ?? "/",
      headers: request.headers,
      body,
      raw: request,
      context,
    });
    return { status, headers: headers ?? {}, body: text ?? "" };
  }
}

/** An answer made by hand, of the platform's shape. */
export function errorAnswer(
  message: string,
  code: string,
  data: ExecutionResult["data"] = null,
  status = 200,
): Answer {
  const error = { message, extensions: { code, traceId: traceId() } };
  return { status, headers: JSON_HEADERS, body: JSON.stringify({ errors: [error], data }) };
}

/** Messages of the errors in an answer. */
export function errorsIn(answer: Answer): string[] {
  try {
    const { errors } = JSON.parse(answer.body) as { errors?: readonly GraphQLFormattedError[] };
    return (errors ?? []).map(({ message }) => message);
  } catch {
    return [];
  }
}

function refused(
  errors: readonly GraphQLError[],
  code: string,
): [string, { status: number; statusText: string; headers: Record<string, string> }] {
  const shown = errors.map(({ message, locations }) => ({ message, locations, extensions: { code } }));
  return [
    JSON.stringify({ errors: shown }),
    { status: 400, statusText: "Bad Request", headers: { ...JSON_HEADERS } },
  ];
}

function masked(error: Readonly<GraphQLError | Error>): GraphQLError {
  const known = error instanceof GraphQLError && (error.originalError ?? error) instanceof GraphQLError;
  const { nodes, source, positions, path } = error instanceof GraphQLError ? error : new GraphQLError("");
  return new GraphQLError(known ? error.message : "Problem processing request", {
    nodes: nodes ?? null,
    source: source ?? null,
    positions: positions ?? null,
    path: path ?? null,
    extensions: {
      code: "INTERNAL_SERVER_ERROR",
      ...(known ? error.extensions : {}),
      traceId: traceId(),
    },
  });
}

function traceId(): string {
  return randomBytes(8).toString("hex");
}
