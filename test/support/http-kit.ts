/** The API on a real store with scripted places, reached without a socket or on loopback. */

import type { AppContext } from "../../src/app/context.ts";
import { LockstepError } from "../../src/core/errors.ts";
import type { Caller, Doorkeeper } from "../../src/edges/http/caller.ts";
import { createHttpServer, type HttpServer, type HttpServerOptions } from "../../src/edges/http/server.ts";
import { OPERATIONS, type OperationId, type Operations } from "../../src/protocol/api.ts";
import type { AnswerOf } from "../../src/protocol/api-operation.ts";

export const ADMIN = "lsk_admin_0123456789";
export const VIEWER = "lsk_viewer_0123456789";

const CALLERS: Readonly<Record<string, Caller>> = {
  [ADMIN]: { actor: { kind: "token", id: "admin", name: "admin" }, scopes: ["*"] },
  [VIEWER]: { actor: { kind: "token", id: "viewer", name: "viewer" }, scopes: ["read"] },
};

/** Two tokens; what real ones may do is tested with them. */
export const doorkeeper: Doorkeeper = {
  authenticate: async (token) => {
    const caller = CALLERS[token.reveal()];
    if (caller === undefined) throw new LockstepError("UNAUTHENTICATED", "no such token");
    return caller;
  },
  assertMay: ({ scopes }, permission) => {
    if (scopes.includes("*") || scopes.includes(permission)) return;
    throw new LockstepError("FORBIDDEN", `Cannot do this: the token lacks ${permission}.`);
  },
};

export function testServer(context: AppContext, options: Partial<HttpServerOptions> = {}): HttpServer {
  return createHttpServer({
    context,
    settings: { listenAddress: "127.0.0.1", allowedHosts: [] },
    version: "0.0.0-test",
    doorkeeper,
    ...options,
  });
}

export interface Asked {
  readonly method?: "GET" | "POST";
  readonly body?: unknown;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function ask(server: HttpServer, url: string, asked: Asked = {}) {
  const { method = "GET", body, token = ADMIN, headers = {} } = asked;
  const response = await server.app.inject({
    method,
    url,
    headers: {
      host: "localhost",
      ...(token === null ? {} : { authorization: `Bearer ${token}` }),
      ...(method === "POST" ? { "content-type": "application/json" } : {}),
      ...headers,
    },
    ...(body === undefined ? {} : { payload: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  return {
    status: response.statusCode,
    headers: response.headers,
    text: response.body,
    json: (): unknown => response.json(),
  };
}

/** Also proves that the answer is what the operation's schema promises. */
export function answerOf<Id extends OperationId>(id: Id, document: unknown): AnswerOf<Operations[Id]> {
  return OPERATIONS[id].answer.parse(document) as AnswerOf<Operations[Id]>;
}
