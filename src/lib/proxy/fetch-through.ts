/** `fetch` for one request, through the proxy where there is one for its host; Node's own takes none. */
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { isIP } from "node:net";
import { Readable } from "node:stream";
import { connect as connectTls } from "node:tls";
import { bareHost } from "../addresses.ts";
import { isCertificateError, lineErrorText } from "../line-errors.ts";
import { OPENED_TLS, openTunnel, ProxyError } from "./tunnel.ts";
import { type HttpProxy, proxyFor } from "./way-out.ts";

export interface FetchOptions {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignal;
}

/** Redirects are answers like others. Throws ProxyError, or what `fetch` throws. */
export async function fetchThrough(address: string, options: FetchOptions): Promise<Response> {
  const url = new URL(address);
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  const proxy = proxyFor(url.hostname, port);
  // Without TLS only loopback is asked, and that directly.
  if (proxy !== null && url.protocol === "https:") return await tunnelled(proxy, url, port, options);
  const { body, ...init } = options;
  return await fetch(url, { ...init, redirect: "manual", ...(body === null ? {} : { body }) });
}

async function tunnelled(proxy: HttpProxy, url: URL, port: number, options: FetchOptions): Promise<Response> {
  const { method, headers, body, signal } = options;
  const host = bareHost(url.hostname);
  const line = await openTunnel(proxy, url.hostname, port, signal);
  const socket = connectTls({
    socket: line,
    host,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
  });
  return await new Promise<Response>((resolve, reject) => {
    const fail = (error: Error): void => {
      socket.destroy();
      line.destroy();
      const code = "code" in error ? String(error.code) : "";
      reject(isCertificateError(code) ? new ProxyError(`${lineErrorText(code)}; ${OPENED_TLS}`) : error);
    };
    socket.on("error", fail);
    const asked = request({
      method,
      path: `${url.pathname}${url.search}`,
      headers: {
        ...headers,
        host: url.host,
        connection: "close",
        "accept-encoding": "identity",
        ...(body === null ? {} : { "content-length": String(Buffer.byteLength(body)) }),
      },
      createConnection: () => socket,
      signal,
    });
    asked.on("error", fail);
    asked.once("response", (answer) => resolve(toResponse(answer)));
    asked.end(body ?? undefined);
  });
}

function toResponse(answer: IncomingMessage): Response {
  const status = answer.statusCode ?? 0;
  const headers = new Headers();
  for (let at = 0; at + 1 < answer.rawHeaders.length; at += 2)
    headers.append(answer.rawHeaders[at] ?? "", answer.rawHeaders[at + 1] ?? "");
  answer.on("error", () => undefined);
  const isEmpty = [204, 205, 304].includes(status);
  if (isEmpty) answer.resume();
  return new Response(isEmpty ? null : (Readable.toWeb(answer) as ReadableStream<Uint8Array>), {
    status,
    headers,
  });
}
