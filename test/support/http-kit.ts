/** The API on a real store with scripted places and real tokens, reached without a socket or on loopback. */

import type { Server } from "node:http";
import type { AppContext } from "../../src/app/base/context.ts";
import { createToken } from "../../src/app/tokens/create-token.ts";
import { LOCAL_ADMIN_SCOPES } from "../../src/core/access/permissions.ts";
import { type LocalLine, openLocalLine } from "../../src/edges/http/local-line.ts";
import { createHttpServer, type HttpServer, type HttpServerOptions } from "../../src/edges/http/server.ts";
import { OPERATIONS, type OperationId, type Operations } from "../../src/protocol/api.ts";
import type { AnswerOf } from "../../src/protocol/api-operation.ts";
import { TESTER } from "./loop-kit.ts";

export interface HttpKit {
  readonly server: HttpServer;
  /** A token with these scopes. */
  token(...scopes: readonly string[]): Promise<string>;
  /** The server's socket, for the command line of a data directory; `listen` comes first. */
  openLine(dataDirectory: string, formerSocket?: string): Promise<LocalLine>;
  /** As an administrator unless told. */
  ask(url: string, asked?: Asked): Promise<Answered>;
}

export interface Asked {
  readonly method?: "GET" | "POST";
  readonly body?: unknown;
  readonly token?: string | null;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answered {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
  json(): unknown;
}

export async function createHttpKit(
  context: AppContext,
  options: Partial<HttpServerOptions> = {},
): Promise<HttpKit> {
  const server = createHttpServer({
    context,
    settings: { listenAddress: "127.0.0.1", allowedHosts: [] },
    version: "0.0.0-test",
    ...options,
  });
  const token = async (...scopes: readonly string[]): Promise<string> => {
    const created = await createToken(context, TESTER, { name: scopes.join(" "), scopes, expiresInMs: null });
    return created.token.reveal();
  };
  const admin = await token(...LOCAL_ADMIN_SCOPES);
  return {
    server,
    token,
    openLine: (dataDirectory, formerSocket) =>
      openLocalLine(server.app.server as Server, dataDirectory, formerSocket ?? null),
    ask: (url, asked = {}) => ask(server, url, { token: admin, ...asked }),
  };
}

async function ask(server: HttpServer, url: string, asked: Asked): Promise<Answered> {
  const { method = "GET", body, token = null, headers = {} } = asked;
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
