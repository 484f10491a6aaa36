/** A line to a server, and TLS on it: verified always, whatever the environment says. */
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, createSecureContext, rootCertificates, type SecureContext } from "node:tls";
import { bareHost } from "../../lib/addresses.ts";
import { isCertificateError, lineErrorText } from "../../lib/line-errors.ts";
import { OPENED_TLS } from "../../lib/proxy/tunnel.ts";
import { ignoredProxyText, proxyFor } from "../../lib/proxy/way-out.ts";
import type { Connect } from "./dial.ts";
import { NoAnswer, reasonOf } from "./reasons.ts";

export function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

/** A line that does not come about may need a proxy that nobody told us to use. */
export async function openLine(
  connect: Connect,
  host: string,
  port: number,
  signal: AbortSignal,
): Promise<Duplex> {
  try {
    return await connect(host, port, signal);
  } catch (error) {
    const ignored = ignoredProxyText(host);
    throw ignored === "" || error instanceof NoAnswer ? error : new NoAnswer(`${reasonOf(error)}${ignored}`);
  }
}

/** One that does not know the certificate's authority may look at what a proxy has put in its place. */
function certificateReason(error: Error, url: URL): Error {
  const code = "code" in error ? String(error.code) : "";
  if (!isCertificateError(code) || proxyFor(url.hostname, portOf(url)) === null) return error;
  return new NoAnswer(`${lineErrorText(code)}; ${OPENED_TLS}`);
}

/** Reading all authorities costs some 40 ms: once for each further one that is trusted, not at every line. */
const contexts = new Map<string, SecureContext>();
const MAX_CONTEXTS = 64;

function contextWith(caCertificate: string): SecureContext {
  const known = contexts.get(caCertificate);
  if (known !== undefined) return known;
  const made = createSecureContext({ ca: [...rootCertificates, caCertificate], minVersion: "TLSv1.2" });
  if (contexts.size >= MAX_CONTEXTS) contexts.clear();
  contexts.set(caCertificate, made);
  return made;
}

export async function secured(line: Duplex, url: URL, caCertificate: string | undefined): Promise<Duplex> {
  const host = bareHost(url.hostname);
  return await new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: line,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(caCertificate === undefined ? {} : { secureContext: contextWith(caCertificate) }),
      // Said, because an environment variable could turn it off.
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      ALPNProtocols: ["http/1.1"],
    });
    socket.on("error", (error) => reject(certificateReason(error, url)));
    line.once("close", () => reject(new NoAnswer("the connection ended before an answer")));
    socket.once("secureConnect", () => resolve(socket));
  });
}
