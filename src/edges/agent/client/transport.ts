/**
 * The line to the server: one connection per request, of which not a byte leaves before the other end has shown the
 * pinned key. Without a pin the certificate is checked as usual; plain HTTP goes to this machine alone. Redirects are
 * answers like others and are not followed.
 *
 * Attacker: whoever owns the network between. Gain without the pin: names, times, sizes, and cutting the line; bundles
 * are sealed, and requests are signed.
 */
import { createHash } from "node:crypto";
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { connect as connectTcp, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { LockstepError } from "../../../core/errors.ts";
import { isCertificateError } from "../../../lib/line-errors.ts";
import { OPENED_TLS, openTunnel, ProxyError } from "../../../lib/proxy/tunnel.ts";
import { ignoredProxyText, proxyFor } from "../../../lib/proxy/way-out.ts";

export interface ServerAddress {
  readonly url: string;
  /** sha256 of the server's public key (SPKI, DER), base64url; null: its certificate is checked as usual. */
  readonly tlsKeyDigest: string | null;
}

export interface TransportRequest {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Until the answer's head is there. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

export interface TransportAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly stream: IncomingMessage;
}

export interface Transport {
  /** Throws SERVER_UNREACHABLE, and TARGET_HOST_KEY for another key than the pinned one. */
  send(request: TransportRequest): Promise<TransportAnswer>;
}

const LOOPBACK = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** Throws INPUT_INVALID for an address that values must not be fetched from. */
export function createTransport({ url, tlsKeyDigest }: ServerAddress): Transport {
  const base = new URL(url);
  if (base.protocol === "http:" && !LOOPBACK.test(base.hostname)) {
    throw new LockstepError("INPUT_INVALID", `Cannot use the server at ${base.origin}: it has no TLS.`, {
      hint: "Give the agents' listener a certificate; plain http is for this machine itself.",
    });
  }
  return { send: (request) => send(base, tlsKeyDigest, request) };
}

async function send(base: URL, pin: string | null, request: TransportRequest): Promise<TransportAnswer> {
  const { method, path, headers, body, timeoutMs, signal } = request;
  if (signal.aborted) throw unreachable(base, "it was too late");
  return await new Promise((resolve, reject) => {
    let sent: ClientRequest | null = null;
    let socket: Duplex | null = null;
    let failure: LockstepError | null = null;
    const fail = (error: LockstepError): void => {
      failure ??= error;
      sent?.destroy();
      socket?.destroy();
      done();
      reject(failure);
    };
    const timer = setTimeout(() => {
      const ignored = socket === null ? ignoredProxyText(base.hostname) : "";
      fail(unreachable(base, `no answer within ${timeoutMs / 1_000} s${ignored}`));
    }, timeoutMs);
    const onAbort = (): void => fail(unreachable(base, "it was interrupted"));
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    open(base, pin, signal).then(
      (opened) => {
        socket = opened.socket;
        if (failure !== null) return void opened.socket.destroy();
        sent = (base.protocol === "https:" ? httpsRequest : httpRequest)({
          // Without an agent of Node's, not even `agent: false`: that one would open a line of its own, without the pin.
          createConnection: () => opened.socket,
          method,
          host: base.hostname,
          port: base.port,
          path: `${base.pathname.replace(/\/+$/, "")}${path}`,
          headers: { host: base.host, connection: "close", ...headers },
        });
        sent.on("error", (error: NodeJS.ErrnoException) => fail(unreachable(base, reasonOf(error))));
        sent.on("response", (stream) => {
          done();
          // A line that dies later is told by the stream itself.
          sent?.on("error", () => undefined);
          resolve({ status: stream.statusCode ?? 0, headers: stream.headers, stream });
        });
        sent.end(body ?? undefined);
      },
      (error: unknown) =>
        fail(error instanceof LockstepError ? error : unreachable(base, whyNot(error, base))),
    );
  });
}

/** A socket to whom we meant. */
async function open(
  base: URL,
  pin: string | null,
  signal: AbortSignal,
): Promise<{ readonly socket: Duplex }> {
  const host = base.hostname.replace(/^\[|\]$/g, "");
  if (base.protocol === "http:") {
    return ready(connectTcp({ host, port: Number(base.port || 80) }), "connect", () => undefined);
  }
  const port = Number(base.port || 443);
  const proxy = proxyFor(host, port);
  const socket = connectTls({
    host,
    ...(proxy === null ? { port } : { socket: await openTunnel(proxy, host, port, signal) }),
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
    // With a pin names and authorities say nothing; the key itself is compared below, before anything is sent.
    rejectUnauthorized: pin === null,
    ...(isIP(host) === 0 ? { servername: host } : {}),
  });
  return ready(socket, "secureConnect", () => {
    if (pin === null || digestOf(socket) === pin) return;
    throw new LockstepError(
      "TARGET_HOST_KEY",
      `The server at ${base.origin} is not the one that this agent was enrolled at: it shows another key.`,
      {
        hint: "Nothing was sent to it. If the server's key was really changed, enroll the agent again with a new code.",
      },
    );
  });
}

function ready<S extends Duplex>(
  socket: S,
  event: string,
  check: () => void,
): Promise<{ readonly socket: S }> {
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once(event, () => {
      socket.off("error", reject);
      socket.on("error", () => undefined);
      try {
        check();
        // In an object: a promise that resolves to a stream is fine, one that a library takes for a thenable is not.
        resolve({ socket });
      } catch (error) {
        socket.destroy();
        reject(error);
      }
    });
  });
}

function digestOf(socket: TLSSocket): string | null {
  const key = socket.getPeerX509Certificate()?.publicKey.export({ type: "spki", format: "der" });
  return key === undefined ? null : createHash("sha256").update(key).digest("base64url");
}

function unreachable(base: URL, why: string): LockstepError {
  return new LockstepError("SERVER_UNREACHABLE", `Cannot reach the server at ${base.origin}: ${why}.`, {
    hint: "It is tried again by itself; services keep what they have meanwhile.",
  });
}

/** Of a line that did not come about: a proxy may be in the way, or missing. */
function whyNot(error: unknown, { hostname }: URL): string {
  if (error instanceof ProxyError) return error.message;
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const behindProxy = isCertificateError(code) && proxyFor(hostname, 443) !== null ? `; ${OPENED_TLS}` : "";
  return `${reasonOf(error)}${behindProxy}${ignoredProxyText(hostname)}`;
}

/** Node's codes are constants; its messages may quote. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "";
  return /^[A-Z][A-Z0-9_]{1,60}$/.test(code) ? code : "the line failed";
}
