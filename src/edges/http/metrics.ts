/**
 * /metrics for Prometheus. For a token, or for loopback: behind a proxy everybody comes from loopback, so a forwarded
 * request counts as foreign. No name of a secret, a target or a host appears; whoever may not ask learns nothing.
 */
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { AppContext } from "../../app/base/context.ts";
import type { ReadLevels } from "../../app/status/read-levels.ts";
import { LockstepError } from "../../core/errors.ts";
import { isLoopbackAddress } from "../../lib/addresses.ts";
import { assertMay, createDoor, type Door, identify } from "./caller.ts";
import { assertHost, assertOrigin, type HostRules } from "./guard.ts";
import { createListener, listenOn } from "./listener.ts";

export interface MetricsOptions {
  readonly context: AppContext;
  readonly door: Door;
  /** Null: of this process alone. */
  readonly readLevels: ReadLevels | null;
}

export function serveMetrics(app: FastifyInstance, { context, door, readLevels }: MetricsOptions): void {
  app.get("/metrics", async (request, reply) => {
    if (!isLocalRequest(request)) assertMay(await identify(context, request, door), "status.read");
    const { contentType, text } = await context.telemetry.exposition(
      readLevels === null ? null : await readLevels(),
    );
    reply.type(contentType);
    return text;
  });
}

function isLocalRequest({ headers, socket }: FastifyRequest): boolean {
  const forwarded = headers["forwarded"] ?? headers["x-forwarded-for"] ?? headers["x-real-ip"];
  return forwarded === undefined && isLoopbackAddress(socket.remoteAddress ?? "");
}

export interface MetricsListenerOptions {
  readonly context: AppContext;
  readonly settings: {
    readonly address: string;
    /** 0: any free one. */
    readonly port: number;
    readonly allowedHosts: readonly string[];
    readonly trustedProxies: readonly string[];
  };
}

export interface MetricsListener {
  readonly port: number;
  close(): Promise<void>;
}

const REQUEST_TIMEOUT_MS = 5_000;
const MAX_BODY_BYTES = 1_024;

/** Of a worker, which has no API: its own numbers, and nothing else. Throws SETTING_INVALID when the port is taken. */
export async function startMetricsListener({
  context,
  settings,
}: MetricsListenerOptions): Promise<MetricsListener> {
  const app = createListener({
    log: context.log,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    maxBodyBytes: MAX_BODY_BYTES,
    tls: null,
  });
  let port = 0;
  const rules: HostRules = { allowedHosts: settings.allowedHosts, port: () => port };
  app.addHook("onRequest", async (request) => {
    assertHost(request, rules);
    assertOrigin(request, rules);
  });
  app.setNotFoundHandler(async () => {
    throw new LockstepError("NOT_FOUND", "Cannot answer this: here are metrics alone.", {
      hint: "They are at /metrics.",
    });
  });
  serveMetrics(app, { context, door: createDoor(context, settings.trustedProxies), readLevels: null });
  port = await listenOn(app, {
    host: settings.address,
    port: settings.port,
    remedy: "Choose another address or port with LOCKSTEP_METRICS_LISTEN.",
  });
  return { port, close: () => app.close() };
}
