/**
 * The API's listener.
 *
 * Promises: answers only requests that are addressed to us and come from no other page; every error is a problem
 * document in the catalogue's words; slow, large and malformed requests end early; nothing is cached or framed.
 * Leaves to others: what operations do (`routes/` and the use cases), agents (their listener is another one).
 */
import type { Server } from "node:http";
import type { FastifyInstance } from "fastify";
import type { AppContext } from "../../app/base/context.ts";
import { createReadLevels } from "../../app/status/read-levels.ts";
import { LockstepError, toLockstepError } from "../../core/errors.ts";
import { createDoor } from "./caller.ts";
import { assertHost, assertJsonWrite, assertOrigin, type HostRules } from "./guard.ts";
import { createListener, hostInUrl, listenOn } from "./listener.ts";
import { type LocalLine, openLocalLine } from "./local-line.ts";
import { serveMetrics } from "./metrics.ts";
import { buildOpenApi } from "./openapi.ts";
import { handlers } from "./routes/handlers.ts";
import { type AgentListenerAddress, registerOperations } from "./routes.ts";

export interface HttpServerOptions {
  readonly context: AppContext;
  readonly settings: {
    readonly listenAddress: string;
    readonly allowedHosts: readonly string[];
    /** Addresses and networks of proxies that may say who connected to them. Default: none. */
    readonly trustedProxies?: readonly string[];
  };
  readonly version: string;
  /** Null: agents are not served, so nobody is invited. */
  readonly agentListener?: AgentListenerAddress | null;
  /** How long a request may take to arrive in full, in ms. Default 15,000. */
  readonly requestTimeoutMs?: number;
}

export interface HttpServer {
  /** `port` 0: any free one. Throws SETTING_INVALID when the port is taken. */
  listen(port: number): Promise<{ readonly url: string; readonly port: number }>;
  /**
   * Serves the same on a unix socket for this machine's command line; after `listen`. `formerSocket`: of the server that
   * ran on this directory before, or null. Answers its path. Throws STORE_IN_USE, SETTING_INVALID.
   */
  openLocalLine(dataDirectory: string, formerSocket: string | null): Promise<string>;
  /** Lets running requests end, then closes idle connections. */
  close(): Promise<void>;
  /** For tests that need no socket. */
  readonly app: FastifyInstance;
}

const MAX_BODY_BYTES = 1024 * 1024;

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const { context, settings, requestTimeoutMs = 15_000, agentListener = null } = options;
  let port = 0;
  let localLine: LocalLine | null = null;
  const closing = new AbortController();
  const app = createListener({
    log: context.log,
    requestTimeoutMs,
    maxBodyBytes: MAX_BODY_BYTES,
    tls: null,
  });

  const door = createDoor(context, settings.trustedProxies ?? []);
  const rules: HostRules = { allowedHosts: settings.allowedHosts, port: () => port };
  const parseJson = app.getDefaultJsonParser("error", "error");
  app.addContentTypeParser("application/json", { parseAs: "string" }, (request, body, done) => {
    // Many writes need no body.
    if (body === "") done(null, undefined);
    else parseJson(request, String(body), done);
  });
  app.addHook("onRequest", async (request) => {
    assertHost(request, rules);
    assertOrigin(request, rules);
    assertJsonWrite(request);
  });
  app.addHook("onResponse", async (request, reply) => {
    context.telemetry.requestAnswered({
      method: request.method,
      route: request.routeOptions.url ?? "unknown",
      status: reply.statusCode,
      seconds: reply.elapsedTime / 1_000,
    });
  });
  app.setNotFoundHandler(async (request) => {
    throw new LockstepError("NOT_FOUND", `Cannot ${request.method} this: there is no such operation.`, {
      hint: "/api/v1/openapi.json lists the operations.",
    });
  });
  // Monitors and balancers end an address as they like.
  for (const end of ["", "/"]) {
    app.get(`/healthz${end}`, async () => ({ status: "ok" }));
    app.get(`/readyz${end}`, async () => {
      // Also asks the store whether it answers.
      await context.sealer.assertCurrent();
      // It serves what needs no value all the same: who watches learns it, and no balancer takes it out.
      const failure = await context.sealer.assertRingThere().then(
        () => null,
        (error: unknown) => toLockstepError(error),
      );
      return failure === null ? { status: "ok" } : { status: "ok", keyRing: failure.code };
    });
  }
  serveMetrics(app, { context, door, readLevels: createReadLevels(context) });
  const openApi = buildOpenApi(options.version);
  app.get("/api/v1/openapi.json", async () => openApi);
  registerOperations(app, { context, handlers, agentListener, door, closing: closing.signal });

  return {
    app,
    listen: async (wanted) => {
      port = await listenOn(app, {
        host: settings.listenAddress,
        port: wanted,
        remedy: "Choose another port with --port, or another address with LOCKSTEP_LISTEN.",
      });
      return { url: `http://${hostOf(settings.listenAddress)}:${port}`, port };
    },
    openLocalLine: async (dataDirectory, formerSocket) => {
      localLine = await openLocalLine(app.server as Server, dataDirectory, formerSocket);
      return localLine.socket;
    },
    close: async () => {
      closing.abort();
      // Before its idle connections are closed with the others', so that none comes in between.
      const ended = localLine?.close();
      await app.close();
      await ended;
    },
  };
}

/** Where clients on this machine find it. */
function hostOf(listenAddress: string): string {
  if (listenAddress === "0.0.0.0" || listenAddress === "127.0.0.1") return "127.0.0.1";
  if (listenAddress === "::" || listenAddress === "::1") return "[::1]";
  return hostInUrl(listenAddress);
}
