/**
 * A line through an HTTP proxy (CONNECT, RFC 9110): TLS goes from end to end within it. Of the proxy's answers only the
 * status is kept, and credentials go to the proxy alone.
 */
import { type IncomingMessage, request } from "node:http";
import { connect as connectTcp, isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { bareHost } from "../addresses.ts";
import { lineErrorText } from "../line-errors.ts";
import type { HttpProxy } from "./way-out.ts";

/** Nothing reached the server: its message is a reason for people, and holds nothing of what was sent. */
export class ProxyError extends Error {
  readonly code = "PROXY_FAILED";
}

const ANSWERS: Readonly<Record<number, string>> = {
  401: "the proxy refuses the user and password in LOCKSTEP_PROXY (401)",
  403: "the proxy does not let us through to it (403)",
  404: "the proxy does not know it (404), or is none",
  405: "what answers at LOCKSTEP_PROXY is no proxy for TLS (405)",
  407: "the proxy wants another user and password than LOCKSTEP_PROXY holds (407)",
  502: "the proxy did not reach it (502)",
  503: "the proxy did not reach it (503)",
  504: "the proxy got no answer from it in time (504)",
};

/** What a certificate that nobody here knows most likely means behind a proxy. */
export const OPENED_TLS =
  "if the proxy opens TLS, start Lockstep with NODE_EXTRA_CA_CERTS=FILE, its authority's certificate in PEM";

/** Throws ProxyError. */
export async function openTunnel(
  proxy: HttpProxy,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<Duplex> {
  const bare = bareHost(host);
  const authority = `${isIP(bare) === 6 ? `[${bare}]` : bare}:${port}`;
  const line = openLine(proxy);
  try {
    return await new Promise<Duplex>((resolve, reject) => {
      const onAbort = (): void => reject(new ProxyError("the proxy did not answer in time"));
      signal.addEventListener("abort", onAbort, { once: true });
      if (signal.aborted) onAbort();
      const settle = (act: () => void): void => {
        signal.removeEventListener("abort", onAbort);
        act();
      };
      line.on("error", (error) => settle(() => reject(new ProxyError(notReached(error)))));
      const asked = request({
        method: "CONNECT",
        path: authority,
        headers: {
          Host: authority,
          ...(proxy.authorization === null ? {} : { "Proxy-Authorization": proxy.authorization }),
        },
        createConnection: () => line,
      });
      asked.on("error", (error) => settle(() => reject(new ProxyError(notReached(error)))));
      asked.once("response", (answer) => settle(() => reject(refused(answer))));
      asked.once("connect", (answer, socket: Duplex, head) =>
        settle(() => {
          if (answer.statusCode !== 200) return reject(refused(answer));
          if (head.length > 0) socket.unshift(head);
          resolve(socket);
        }),
      );
      asked.end();
    });
  } catch (error) {
    line.on("error", () => undefined).destroy();
    throw error;
  }
}

function openLine({ isTls, host, port }: HttpProxy): Duplex {
  if (!isTls) return connectTcp({ host, port });
  return connectTls({
    host,
    port,
    ...(isIP(host) === 0 ? { servername: host } : {}),
    // Said, because an environment variable could turn it off.
    rejectUnauthorized: true,
    minVersion: "TLSv1.2",
    ALPNProtocols: ["http/1.1"],
  });
}

function refused({ statusCode = 0 }: IncomingMessage): ProxyError {
  return new ProxyError(ANSWERS[statusCode] ?? `the proxy answered ${statusCode}`);
}

function notReached(error: Error): string {
  const code = "code" in error ? String(error.code) : "";
  if (code.startsWith("HPE_")) return "what answers at LOCKSTEP_PROXY does not speak HTTP";
  return `the proxy was not reached: ${lineErrorText(code) ?? "the line failed"}`;
}
