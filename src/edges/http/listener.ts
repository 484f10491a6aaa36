/**
 * What our listeners have in common: limits against slow, large and malformed requests, JSON bodies, security headers on
 * every answer, errors as problem documents in the catalogue's words.
 */
import type { Server as PlainServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { SecureContextOptions } from "node:tls";
import fastify, { type FastifyInstance, type FastifyRequest } from "fastify";
import { LockstepError } from "../../core/errors.ts";
import type { Logger } from "../../core/ports/logger.ts";
import type { Problem } from "../../protocol/api-parts.ts";
import { SECURITY_HEADERS } from "./headers.ts";
import { answerExpectations, answerParserError, handWritten } from "./parser-errors.ts";
import { PROBLEM_TYPE, stackOf, toProblem, translateError } from "./problem.ts";
import { assertWellFormed } from "./well-formed.ts";

export interface ListenerOptions {
  readonly log: Logger;
  /** How long a request may take to arrive in full, in ms. */
  readonly requestTimeoutMs: number;
  readonly maxBodyBytes: number;
  /** Null: plain HTTP. */
  readonly tls: SecureContextOptions | null;
  /** What is told of an error; by default all that its problem document holds. */
  readonly tell?: (error: LockstepError, request: FastifyRequest) => Problem;
}

/** How often Node looks for connections that are too slow, in ms. */
const SLOW_CHECK_MS = 1_000;
const KEEP_ALIVE_MS = 10_000;
/** Nothing comes and nothing is taken: longer than any operation takes, and than the pause between an agent's events. */
const SILENT_MS = 180_000;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const MAX_HEADER_BYTES = 16 * 1024;

export function createListener(options: ListenerOptions): FastifyInstance {
  const { log, requestTimeoutMs, tls, tell = toProblem } = options;
  const limits = {
    headersTimeout: requestTimeoutMs,
    connectionsCheckingInterval: SLOW_CHECK_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    // Node would refuse it without our headers; the guard and the routes refuse it in our words.
    requireHostHeader: false,
  };
  const settings = {
    logger: false,
    bodyLimit: options.maxBodyBytes,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: SILENT_MS,
    clientErrorHandler: answerParserError,
    keepAliveTimeout: KEEP_ALIVE_MS,
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: 200 },
    // Before routing, so no hook has run: written by hand.
    frameworkErrors: (error: unknown, _request: unknown, reply: HandWritten) => {
      const { status, headers, body } = handWritten(translateError(error));
      reply.hijack();
      reply.raw.writeHead(status, headers);
      reply.raw.end(body);
    },
  } as const;
  // Both kinds of server answer the same; fastify's types tell them apart where nothing here does.
  const app = (
    tls === null
      ? fastify({ ...settings, http: limits })
      : fastify({
          ...settings,
          https: { ...limits, ...tls, minVersion: "TLSv1.2", handshakeTimeout: HANDSHAKE_TIMEOUT_MS },
        })
  ) as FastifyInstance;

  app.removeAllContentTypeParsers();
  answerExpectations(app.server as PlainServer);
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    assertWellFormed(request);
  });
  app.setErrorHandler((error, request, reply) => {
    const translated = translateError(error);
    if (translated.code === "INTERNAL") {
      log.error("request failed", {
        method: request.method,
        route: request.routeOptions.url,
        at: stackOf(error),
      });
    }
    const problem = tell(translated, request);
    if (problem.status === 429 && translated.retryAfterMs !== undefined)
      reply.header("retry-after", Math.ceil(translated.retryAfterMs / 1_000));
    reply.code(problem.status).type(PROBLEM_TYPE).send(problem);
  });
  return app;
}

interface HandWritten {
  hijack(): unknown;
  readonly raw: {
    writeHead(status: number, headers: Readonly<Record<string, string>>): unknown;
    end(text: string): unknown;
  };
}

/** Answers the port. Throws SETTING_INVALID, with `remedy`, when the address cannot be listened on. */
export async function listenOn(
  app: FastifyInstance,
  { host, port, remedy }: { readonly host: string; readonly port: number; readonly remedy: string },
): Promise<number> {
  try {
    await app.listen({ port, host });
  } catch (error) {
    const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
    const reason =
      code === "EADDRINUSE" ? "the port is in use" : `the address cannot be listened on (${String(code)})`;
    throw new LockstepError("SETTING_INVALID", `Cannot listen on ${host}:${port}: ${reason}.`, {
      hint: remedy,
    });
  }
  return ((app.server as PlainServer).address() as AddressInfo).port;
}

/** An address as it stands in a URL. */
export function hostInUrl(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}
