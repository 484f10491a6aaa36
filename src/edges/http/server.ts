/**
 * The API's listener.
 *
 * Promises: answers only requests that are addressed to us and come from no other page; every error is a problem
 * document in the catalogue's words; slow, large and malformed requests end early; nothing is cached or framed.
 * Leaves to others: what operations do (`routes/` and the use cases), agents (their listener is another one).
 */
import type { AddressInfo } from "node:net";
import fastify, { type FastifyInstance } from "fastify";
import type { AppContext } from "../../app/context.ts";
import { LockstepError } from "../../core/errors.ts";
import { assertMay, identify } from "./caller.ts";
import { assertHost, assertJsonWrite, assertOrigin, type HostRules } from "./guard.ts";
import { SECURITY_HEADERS } from "./headers.ts";
import { isLocalRequest, RequestCounter, renderMetrics } from "./metrics.ts";
import { buildOpenApi } from "./openapi.ts";
import { stackOf, toProblem, translateError } from "./problem.ts";
import { handlers } from "./routes/handlers.ts";
import { registerOperations } from "./routes.ts";

export interface HttpServerOptions {
  readonly context: AppContext;
  readonly settings: { readonly listenAddress: string; readonly allowedHosts: readonly string[] };
  readonly version: string;
  /** How long a request may take to arrive in full, in ms. Default 15,000. */
  readonly requestTimeoutMs?: number;
}

export interface HttpServer {
  /** `port` 0: any free one. Throws SETTING_INVALID when the port is taken. */
  listen(port: number): Promise<{ readonly url: string; readonly port: number }>;
  /** Lets running requests end, then closes idle connections. */
  close(): Promise<void>;
  /** For tests that need no socket. */
  readonly app: FastifyInstance;
}

const PROBLEM_TYPE = "application/problem+json";
const MAX_BODY_BYTES = 1024 * 1024;
/** How often Node looks for connections that are too slow, in ms. */
const SLOW_CHECK_MS = 1_000;

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { context, settings, requestTimeoutMs = 15_000 } = options;
  let port = 0;
  const closing = new AbortController();
  const requests = new RequestCounter();
  const app = fastify({
    logger: false,
    bodyLimit: MAX_BODY_BYTES,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: 0,
    keepAliveTimeout: 10_000,
    forceCloseConnections: "idle",
    routerOptions: { maxParamLength: 200 },
    http: {
      headersTimeout: requestTimeoutMs,
      connectionsCheckingInterval: SLOW_CHECK_MS,
      maxHeaderSize: 16 * 1024,
    },
    // Before routing, so no hook has run: written by hand.
    frameworkErrors: (error, _request, reply) => {
      const problem = toProblem(translateError(error));
      reply.hijack();
      reply.raw.writeHead(problem.status, { ...SECURITY_HEADERS, "content-type": PROBLEM_TYPE });
      reply.raw.end(JSON.stringify(problem));
    },
  });

  const rules: HostRules = { allowedHosts: settings.allowedHosts, port: () => port };
  app.removeAllContentTypeParsers();
  const parseJson = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    // Many writes need no body.
    if (body === "") done(null, undefined);
    else parseJson(request, String(body), done);
  });
  app.addHook("onRequest", async (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    assertHost(request, rules);
    assertOrigin(request, rules);
    assertJsonWrite(request);
  });
  app.addHook("onResponse", async (request, reply) => {
    requests.count(request.method, request.routeOptions.url ?? "unknown", reply.statusCode);
  });
  app.setNotFoundHandler(async (request) => {
    throw new LockstepError("NOT_FOUND", `Cannot ${request.method} this: there is no such operation.`, {
      hint: "/api/v1/openapi.json lists the operations.",
    });
  });
  app.setErrorHandler((error, request, reply) => {
    const translated = translateError(error);
    if (translated.code === "INTERNAL") {
      context.log.error("request failed", {
        method: request.method,
        route: request.routeOptions.url,
        at: stackOf(error),
      });
    }
    const problem = toProblem(translated);
    reply.code(problem.status).type(PROBLEM_TYPE).send(problem);
  });

  app.get("/healthz", async () => ({ status: "ok" }));
  app.get("/readyz", async () => {
    await context.store.read.meta.read();
    return { status: "ok" };
  });
  app.get("/metrics", async (request, reply) => {
    if (!isLocalRequest(request)) assertMay(await identify(context, request), "status.read");
    reply.type("text/plain; version=0.0.4; charset=utf-8");
    return renderMetrics(context, requests);
  });
  const openApi = buildOpenApi(options.version);
  app.get("/api/v1/openapi.json", async () => openApi);
  registerOperations(app, { context, handlers, closing: closing.signal });

  return {
    app,
    listen: async (wanted) => {
      await listen(app, wanted, settings.listenAddress);
      port = (app.server.address() as AddressInfo).port;
      return { url: `http://${hostOf(settings.listenAddress)}:${port}`, port };
    },
    close: async () => {
      closing.abort();
      await app.close();
    },
  };
}

async function listen(app: FastifyInstance, port: number, host: string): Promise<void> {
  try {
    await app.listen({ port, host });
  } catch (error) {
    const code = typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
    const reason =
      code === "EADDRINUSE" ? "the port is in use" : `the address cannot be listened on (${String(code)})`;
    throw new LockstepError("SETTING_INVALID", `Cannot listen on ${host}:${port}: ${reason}.`, {
      hint: "Choose another port with --port, or another address with LOCKSTEP_LISTEN.",
    });
  }
}

/** Where clients on this machine find it. */
function hostOf(listenAddress: string): string {
  if (listenAddress === "0.0.0.0" || listenAddress === "127.0.0.1") return "127.0.0.1";
  if (listenAddress === "::" || listenAddress === "::1") return "[::1]";
  return listenAddress.includes(":") ? `[${listenAddress}]` : listenAddress;
}
