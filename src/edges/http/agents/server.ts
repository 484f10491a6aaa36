/**
 * The agents' listener.
 *
 * Promises: serves `/agent/v1/*` and nothing else; answers nobody but who signed the request with an agent's key, proves
 * to know an enrolment code, or names the digest of the agent's program; tells the unauthenticated nothing else; slow, large and too many requests end early.
 * Leaves to others: what agents are told and may do (`app/agents`), the operator's API (its listener is another one).
 */
import type { Server } from "node:net";
import type { SecureContextOptions } from "node:tls";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { serveBundle } from "../../../app/agents/bundle/serve-bundle.ts";
import { confirmAgent } from "../../../app/agents/enrolment/confirm-agent.ts";
import { enrolAgent } from "../../../app/agents/enrolment/enrol-agent.ts";
import { recordReport } from "../../../app/agents/reports/record-report.ts";
import type { AppContext } from "../../../app/base/context.ts";
import { LockstepError, toLockstepError } from "../../../core/errors.ts";
import { bundleRequest, confirmRequest, enrolmentRequest, report } from "../../../protocol/agent/messages.ts";
import { AGENT_PATHS } from "../../../protocol/agent/paths.ts";
import { assertJsonWrite } from "../guard.ts";
import { SECURITY_HEADERS } from "../headers.ts";
import { createListener, listenOn } from "../listener.ts";
import { TrustedProxies } from "../source.ts";
import { Budget } from "./budgets.ts";
import { Connections } from "./connections.ts";
import { FailedTries } from "./failed-tries.ts";
import { isProgramPath, nothingHere, registerProgram, type ServedProgram } from "./program.ts";
import { authenticate, bodyOf, spend, tellAgent, tokenOf } from "./requests.ts";
import { AgentStreams } from "./streams.ts";

export interface AgentServerOptions {
  readonly context: AppContext;
  /** Null: a proxy in front does TLS. */
  readonly tls: SecureContextOptions | null;
  /** What machines are given as the agent's program. Null, or left out: this server has none. */
  readonly program?: ServedProgram | null;
  /** Addresses and networks of proxies that may say who connected to them. Default: none. */
  readonly trustedProxies?: readonly string[];
  /** Reports of one identity: at once, and one more after that long. */
  readonly reportShare?: { readonly burst: number; readonly everyMs: number };
  readonly requestTimeoutMs?: number;
  readonly keepaliveMs?: number;
}

export interface AgentServer {
  /** `port` 0: any free one. Answers the port. Throws SETTING_INVALID. */
  listen(address: string, port: number): Promise<number>;
  /** For a certificate that was renewed. New connections see it. */
  setTls(tls: SecureContextOptions): void;
  /** Ends all streams and lets running requests end. */
  close(): Promise<void>;
  readonly streams: AgentStreams;
}

const MAX_ENROL_BYTES = 16 * 1024;
const MAX_REPORT_BYTES = 1024 * 1024;
const MAX_SMALL_BYTES = 8 * 1024;
const MAX_CONNECTIONS = 20_000;
const MAX_UNPROVEN_PER_SOURCE = 1_000;
/** After that long without a word the system asks the other side whether it is still there. */
const TCP_KEEPALIVE_MS = 60_000;

/**
 * Of one identity. An agent asks once a minute, and at each change once or a few times; the rest is for a row of changes.
 */
const SHARES = {
  confirm: { burst: 10, everyMs: 6_000 },
  bundle: { burst: 120, everyMs: 1_000 },
  report: { burst: 120, everyMs: 1_000 },
  events: { burst: 30, everyMs: 2_000 },
  program: { burst: 10, everyMs: 6_000 },
} as const;
/** A code for containers is shown by many machines that start at once. */
const PER_CODE = { burst: 300, everyMs: 500 };

const STREAM_HEADERS = {
  ...SECURITY_HEADERS,
  "content-type": "text/event-stream",
  // Proxies that collect answers before passing them on would hold notifications back.
  "x-accel-buffering": "no",
};

export function createAgentServer(options: AgentServerOptions): AgentServer {
  const { context, tls, requestTimeoutMs = 15_000 } = options;
  const app = createListener({
    log: context.log,
    requestTimeoutMs,
    maxBodyBytes: MAX_SMALL_BYTES,
    tls,
    tell: tellAgent,
  });
  const server = app.server as Server & { setSecureContext?(options: SecureContextOptions): void };
  const proxies = new TrustedProxies(options.trustedProxies ?? []);
  const shares = sharesOf({ ...SHARES, ...(options.reportShare && { report: options.reportShare }) });
  const connections = new Connections({
    maxInAll: MAX_CONNECTIONS,
    maxUnprovenPerSource: MAX_UNPROVEN_PER_SOURCE,
    isProxy: (address) => proxies.has(address),
  });
  connections.watch(server);
  const streams = new AgentStreams({
    activeAt: (targetIds) => context.store.read.agents.activeIdsAt(targetIds),
    ...(options.keepaliveMs === undefined ? {} : { keepaliveMs: options.keepaliveMs }),
  });
  const stopListening = context.agentNotifier.listen((notified) => streams.notify(notified));

  // As bytes: who signed them is found out before they are read.
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (_request, body, done) =>
    done(null, body),
  );
  app.addHook("onRequest", async (request) => {
    if (request.headers.origin !== undefined) {
      throw new LockstepError("ORIGIN_NOT_ALLOWED", "Cannot answer: no page has business here.");
    }
    if (request.is404) return;
    assertJsonWrite(request);
    if (request.url !== AGENT_PATHS.enrol && !isProgramPath(request)) tokenOf(request);
  });
  app.setNotFoundHandler(async () => {
    throw nothingHere();
  });
  registerEnrolment(app, context, proxies);
  app.post(AGENT_PATHS.confirm, async (request, reply) => {
    const agent = await authenticate(context, request, shares.confirm);
    await confirmAgent(context, agent, bodyOf(request, confirmRequest).challenge);
    reply.code(204);
  });
  app.post(AGENT_PATHS.bundle, async (request) => {
    const agent = await authenticate(context, request, shares.bundle);
    return serveBundle(context, agent, bodyOf(request, bundleRequest));
  });
  app.post(AGENT_PATHS.report, { bodyLimit: MAX_REPORT_BYTES }, async (request, reply) => {
    const agent = await authenticate(context, request, shares.report);
    await recordReport(context, agent, bodyOf(request, report));
    reply.code(204);
  });
  registerProgram(app, context, { program: options.program ?? null, proxies, share: shares.program });
  app.get(AGENT_PATHS.events, { exposeHeadRoute: false }, async (request, reply) => {
    const agent = await authenticate(context, request, shares.events);
    const { socket } = request;
    if (socket.destroyed) return;
    reply.hijack();
    connections.proven(socket);
    socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
    reply.raw.writeHead(200, STREAM_HEADERS);
    reply.raw.once("close", streams.open({ agentId: agent.id, targetId: agent.targetId }, reply.raw));
  });

  return {
    streams,
    listen: (address, port) =>
      listenOn(app, {
        host: address,
        port,
        remedy: "Choose another address with --agents or LOCKSTEP_AGENT_LISTEN.",
      }),
    setTls: (renewed) => server.setSecureContext?.({ ...renewed, minVersion: "TLSv1.2" }),
    close: async () => {
      stopListening();
      streams.close();
      await app.close();
    },
  };
}

type Shares = Readonly<Record<keyof typeof SHARES, { readonly burst: number; readonly everyMs: number }>>;

function sharesOf({ confirm, bundle, report: reports, events, program }: Shares) {
  const now = () => performance.now();
  return {
    confirm: new Budget({ now, ...confirm }),
    bundle: new Budget({ now, ...bundle }),
    report: new Budget({ now, ...reports }),
    events: new Budget({ now, ...events }),
    program: new Budget({ now, ...program }),
  };
}

/** The one request without a signature of a known key. Whatever is wrong with it, the answer is the same. */
function registerEnrolment(app: FastifyInstance, context: AppContext, proxies: TrustedProxies): void {
  const tries = new FailedTries({ now: () => context.clock.now().getTime() });
  const codes = new Budget({ now: () => performance.now(), ...PER_CODE });
  app.post(AGENT_PATHS.enrol, { bodyLimit: MAX_ENROL_BYTES }, async (request: FastifyRequest) => {
    const source = proxies.sourceOf(request.socket.remoteAddress ?? "", request.headers);
    const waitMs = tries.waitMs(source);
    if (waitMs > 0) {
      throw new LockstepError("TOO_MANY_TRIES", "Cannot enrol now: it failed too often from this address.", {
        retryAfterMs: waitMs,
      });
    }
    try {
      return await enrolAgent(context, bodyOf(request, enrolmentRequest), {
        from: source === "" ? null : source,
        admit: (lookup) => spend(codes, lookup),
      });
    } catch (error) {
      const { family } = toLockstepError(error);
      if (family === "unauthenticated" || family === "invalid") tries.failed(source);
      throw error;
    }
  });
}
