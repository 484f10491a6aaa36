/**
 * A server for agents, scripted: it speaks the protocol over real sockets, checks what it is sent as strictly as a real
 * one, and misbehaves on command.
 */
import { createHash, createPublicKey, randomBytes, randomUUID, verify } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { makeSelfSigned } from "../../src/adapters/crypto/self-signed.ts";
import { newKeys } from "../../src/edges/agent/identity/identity.ts";
import {
  deriveEnrolmentKeys,
  enrolmentMac,
  formatEnrolmentCode,
  newEnrolmentRandom,
} from "../../src/protocol/agent/enrolment-code.ts";
import { type PrivateJwk, type PublicJwk, sealMessage } from "../../src/protocol/agent/envelope.ts";
import { publicPart, thumbprint } from "../../src/protocol/agent/keys.ts";
import {
  type Bundle,
  bundleRequest,
  confirmRequest,
  enrolmentContent,
  enrolmentRequest,
  type Report,
  report as reportSchema,
} from "../../src/protocol/agent/messages.ts";
import { AGENT_PATHS, CHANGE_EVENT, programPath } from "../../src/protocol/agent/paths.ts";
import { programRequest } from "../../src/protocol/agent/program.ts";
import {
  AUTHORIZATION_SCHEME,
  claimedAgentId,
  verifyRequest,
} from "../../src/protocol/agent/request-token.ts";

/** What of a bundle a test says; the rest follows. */
export type BundleContent = Partial<Omit<Bundle, "v" | "kind" | "nonce">>;

export interface SealedBy {
  readonly content?: BundleContent & { readonly nonce?: string };
  readonly signWith?: PrivateJwk;
  readonly encryptTo?: PublicJwk;
}

export type Misbehaviour =
  | {
      readonly kind: "status";
      readonly status: number;
      readonly body?: object;
      readonly headers?: Record<string, string>;
    }
  | { readonly kind: "silent" | "cut" }
  /** The bundle is made otherwise than it should be. */
  | { readonly kind: "bundle"; readonly sealed: SealedBy };

export interface AgentServer {
  readonly url: string;
  readonly storeId: string;
  readonly bundleKey: PrivateJwk;
  readonly reports: readonly Report[];
  /** Paths of all requests. */
  readonly requests: readonly string[];
  /** Everything that came and went, as bytes on the wire beneath TLS would show it. */
  wire(): string;
  code(): string;
  agentId(): string;
  encryptKey(): PublicJwk;
  /** From now on; agents are notified. */
  set(content: BundleContent): void;
  /** As the agent's program, from now on. */
  offer(program: OfferedProgram): void;
  /** For requests to these paths, until `behave`. */
  misbehave(path: keyof typeof AGENT_PATHS, how: Misbehaviour): void;
  behave(): void;
  streams(): number;
  notify(): void;
  cutStreams(): void;
  stop(): Promise<void>;
  /** At the same port, as it was. */
  start(): Promise<void>;
}

export interface OfferedProgram {
  readonly release: string;
  readonly bytes: Buffer;
  /** Instead of what was offered. */
  readonly served?: Buffer;
  /** The line is cut there. */
  readonly cutAt?: number;
  /** Instead of what belongs into the offer. */
  readonly content?: Readonly<Record<string, unknown>>;
  readonly signWith?: PrivateJwk;
}

interface Enrolled {
  readonly agentId: string;
  readonly signKey: PublicJwk;
  readonly encryptKey: PublicJwk;
}

export interface AgentServerOptions {
  /** With a key of its own, pinned by the code. */
  readonly tls?: boolean;
  /** Told by the code instead of the true one. */
  readonly pin?: string;
}

export async function startAgentServer(options: AgentServerOptions = {}): Promise<AgentServer> {
  const storeId = randomUUID();
  const bundleKey = newKeys().signKey;
  const random = newEnrolmentRandom();
  const challenge = randomBytes(16).toString("base64url");
  const reports: Report[] = [];
  const requests: string[] = [];
  const wire: string[] = [];
  const used = new Set<string>();
  const faults = new Map<string, Misbehaviour>();
  const streams = new Set<ServerResponse>();
  const sockets = new Set<Socket>();
  const tls = options.tls === true ? selfSigned() : null;
  let enrolled: Enrolled | null = null;
  let confirmed = false;
  let content: BundleContent | null = null;
  let program: OfferedProgram | null = null;

  const seal = async (
    nonce: string,
    { content: other = {}, signWith = bundleKey, encryptTo }: SealedBy = {},
  ) => {
    if (enrolled === null) throw new Error("nobody is enrolled");
    const whole = bundleOf(enrolled.agentId, storeId, nonce, { ...content, ...other });
    return sealMessage(whole, { signWith, encryptTo: encryptTo ?? enrolled.encryptKey });
  };

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url ?? "";
    requests.push(path);
    const body = await bodyOf(request);
    wire.push(`${request.method} ${path}\n${JSON.stringify(request.headers)}\n${body}`);
    const name = Object.entries(AGENT_PATHS).find(([, known]) => known === path)?.[0] ?? "";
    const fault = faults.get(name);
    if (fault?.kind === "silent") return;
    if (fault?.kind === "cut") return void request.socket.destroy();
    if (fault?.kind === "status") return send(response, fault.status, fault.body ?? {}, fault.headers);
    if (path === AGENT_PATHS.enrol) return enrol(body, response);
    if (program !== null && request.method === "GET" && path === programPath(sha256Of(program.bytes))) {
      const { bytes, served = bytes, cutAt } = program;
      response.writeHead(200, {
        "content-type": "application/octet-stream",
        "content-length": served.length,
      });
      if (cutAt === undefined) return void response.end(served);
      return void response.write(served.subarray(0, cutAt), () => request.socket.destroy());
    }
    const refusal = await whyUnauthenticated(request, path, body);
    if (refusal !== null) return send(response, 401, { code: refusal });
    switch (path) {
      case AGENT_PATHS.confirm:
        if (confirmRequest.parse(JSON.parse(body)).challenge !== challenge)
          return send(response, 401, { code: "ENROLMENT_INVALID" });
        confirmed = true;
        return send(response, 204, null);
      case AGENT_PATHS.bundle: {
        const { nonce, have } = bundleRequest.parse(JSON.parse(body));
        if (fault?.kind === "bundle") return send(response, 200, { sealed: await seal(nonce, fault.sealed) });
        const isHeld =
          have !== null &&
          have.generation === content?.generation &&
          have.digest === content.digest &&
          (content.pushId ?? null) === null;
        if (content !== null && !isHeld) return send(response, 200, { sealed: await seal(nonce) });
        const { agentId, encryptKey } = enrolled ?? { agentId: "", encryptKey: bundleKey };
        const order = { storeId, epoch: content?.epoch ?? 1, generation: content?.generation ?? 0 };
        const nothing = { v: 1, kind: "unchanged", agentId, ...order, nonce };
        return send(response, 200, {
          sealed: await sealMessage(nothing, { signWith: bundleKey, encryptTo: encryptKey }),
        });
      }
      case AGENT_PATHS.program: {
        if (program === null || enrolled === null) return send(response, 404, { code: "NOT_FOUND" });
        const { release, bytes, content: other = {}, signWith = bundleKey } = program;
        const offered = {
          v: 1,
          kind: "program",
          agentId: enrolled.agentId,
          storeId,
          nonce: programRequest.parse(JSON.parse(body)).nonce,
          release,
          files: [{ runsOn: "node", sha256: sha256Of(bytes), bytes: bytes.length }],
          ...other,
        };
        const sealed = await sealMessage(offered, { signWith, encryptTo: enrolled.encryptKey });
        return send(response, 200, { sealed });
      }
      case AGENT_PATHS.report: {
        const report = reportSchema.parse(JSON.parse(body));
        reports.push(report);
        if (report.push !== null && content?.pushId === report.push.pushId)
          content = { ...content, pushId: null };
        return send(response, 204, null);
      }
      case AGENT_PATHS.events:
        response.writeHead(200, { "content-type": "text/event-stream" });
        response.write(": here\n\n");
        streams.add(response);
        response.on("close", () => streams.delete(response));
        return;
      default:
        return send(response, 404, { code: "NOT_FOUND" });
    }
  }

  async function enrol(body: string, response: ServerResponse): Promise<void> {
    const { content: text, mac, signature } = enrolmentRequest.parse(JSON.parse(body));
    const asked = enrolmentContent.parse(JSON.parse(text));
    const keys = deriveEnrolmentKeys(random);
    const isKnown = asked.lookup === keys.lookup && mac === enrolmentMac(keys.macKey, text);
    const key = createPublicKey({ key: { ...asked.signKey }, format: "jwk" });
    const isSigned = verify(null, Buffer.from(text), key, Buffer.from(signature, "base64url"));
    if (!isKnown || !isSigned || (confirmed && enrolled?.signKey.x !== asked.signKey.x)) {
      return send(response, 401, { code: "ENROLMENT_INVALID" });
    }
    enrolled = {
      agentId: enrolled?.agentId ?? randomUUID(),
      signKey: asked.signKey,
      encryptKey: asked.encryptKey,
    };
    const welcome = {
      v: 1,
      kind: "welcome",
      agentId: enrolled.agentId,
      storeId,
      epoch: 1,
      target: "mac-mini",
      environment: "production",
      nonce: asked.nonce,
      challenge,
      bundleKey: publicPart(bundleKey),
      idleLifeSeconds: null,
    };
    const sealed = await sealMessage(welcome, { signWith: bundleKey, encryptTo: asked.encryptKey });
    send(response, 200, { sealed, bundleKey: publicPart(bundleKey) });
  }

  async function whyUnauthenticated(
    request: IncomingMessage,
    path: string,
    body: string,
  ): Promise<string | null> {
    const token = (request.headers.authorization ?? "").replace(`${AUTHORIZATION_SCHEME} `, "");
    if (enrolled === null || claimedAgentId(token) !== enrolled.agentId) return "UNAUTHENTICATED";
    const verified = await verifyRequest(token, enrolled.signKey, Date.now() / 1_000);
    if (!verified.ok) return verified.why === "clock" ? "AGENT_CLOCK" : "UNAUTHENTICATED";
    const { method, path: signedPath, bodyDigest, tokenId, storeId: audience } = verified.request;
    const digest = createHash("sha256").update(body).digest("base64url");
    if (method !== request.method || signedPath !== path || bodyDigest !== digest || audience !== storeId)
      return "UNAUTHENTICATED";
    if (used.has(tokenId)) return "REQUEST_REPLAYED";
    used.add(tokenId);
    return null;
  }

  function send(
    response: ServerResponse,
    status: number,
    body: object | null,
    headers: Record<string, string> = {},
  ): void {
    const text = body === null ? "" : JSON.stringify(body);
    wire.push(`${status}\n${text}`);
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(text);
  }

  const listener = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request, response).catch(() => send(response, 422, { code: "INPUT_INVALID" }));
  };
  const server =
    tls === null ? createServer(listener) : createTlsServer({ key: tls.key, cert: tls.cert }, listener);
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => server.listen(port, "127.0.0.1", resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  const url = `${tls === null ? "http" : "https"}://127.0.0.1:${port}`;
  const notify = (): void => {
    for (const stream of streams) stream.write(`event: ${CHANGE_EVENT}\ndata:\n\n`);
  };
  const known = (): Enrolled =>
    enrolled ?? { agentId: randomUUID(), signKey: bundleKey, encryptKey: bundleKey };

  return {
    url,
    storeId,
    bundleKey,
    reports,
    requests,
    wire: () => wire.join("\n"),
    code: () =>
      formatEnrolmentCode({
        url,
        bundleKeyDigest: thumbprint(bundleKey),
        tlsKeyDigest: options.pin ?? tls?.digest ?? null,
        random,
      }),
    agentId: () => known().agentId,
    encryptKey: () => known().encryptKey,
    set(next) {
      content = next;
      notify();
    },
    offer: (offered) => {
      program = offered;
    },
    misbehave: (path, how) => void faults.set(path, how),
    behave: () => faults.clear(),
    streams: () => streams.size,
    notify,
    cutStreams: () => {
      for (const stream of streams) stream.destroy();
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
    start: () => listen(port),
  };
}

function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

export function bundleOf(agentId: string, storeId: string, nonce: string, content: BundleContent): Bundle {
  return {
    v: 1,
    kind: "bundle",
    agentId,
    storeId,
    epoch: 1,
    orderDigest: null,
    look: null,
    generation: 1,
    nonce,
    issuedAt: new Date().toISOString(),
    target: "mac-mini",
    environment: "production",
    pushId: null,
    digest: "digest-1",
    macKey: randomBytes(32).toString("base64url"),
    files: [],
    activate: null,
    health: null,
    quietMs: 0,
    maxQuietMs: 0,
    slots: [],
    pruned: [],
    ...content,
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

function selfSigned(): { key: string; cert: string; digest: string } {
  const { certificatePem, privateKeyPem } = makeSelfSigned(new Date());
  const spki = createPublicKey(certificatePem).export({ type: "spki", format: "der" });
  return {
    key: privateKeyPem,
    cert: certificatePem,
    digest: createHash("sha256").update(spki).digest("base64url"),
  };
}
