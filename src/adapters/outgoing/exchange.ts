/**
 * One HTTP request on a connection of its own, wherever that begins: a balancer may choose another replica for each,
 * redirects are answers like any other, and TLS is always verified.
 */
import { type IncomingMessage, request } from "node:http";
import { isIP } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls, rootCertificates } from "node:tls";
import { bareHost } from "../../lib/addresses.ts";
import { isCertificateError, lineErrorText } from "../../lib/line-errors.ts";
import { OPENED_TLS } from "../../lib/proxy/tunnel.ts";
import { ignoredProxyText, proxyFor } from "../../lib/proxy/way-out.ts";
import type { Connect } from "./dial.ts";
import { NoAnswer, reasonOf } from "./reasons.ts";

const MAX_HEADER_BYTES = 32_768;

export class TooLate extends Error {}

export interface HttpQuestion {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  /** Trusted besides the public authorities. */
  readonly caCertificate?: string | undefined;
  /** Told before the first byte of the request: until then the other side knows nothing of it. */
  readonly onSending?: (() => void) | undefined;
}

/** Answers what `read` makes of the answer; the line ends with it. Throws TooLate, NoAnswer, or a system's error. */
export async function exchange<T>(
  connect: Connect,
  question: HttpQuestion,
  read: (answer: IncomingMessage) => T | Promise<T>,
  limited: AbortSignal,
): Promise<T> {
  const { url, caCertificate } = question;
  const isTls = url.protocol === "https:";
  const port = url.port === "" ? (isTls ? 443 : 80) : Number(url.port);
  let line: Duplex | null = null;
  const end = () => line?.destroy();
  const tooLate = new Promise<never>((_resolve, reject) => {
    const onAbort = () => {
      const ignored = line === null ? ignoredProxyText(url.hostname) : "";
      reject(ignored === "" ? new TooLate() : new NoAnswer(`no connection in time${ignored}`));
    };
    limited.addEventListener("abort", onAbort, { once: true });
    if (limited.aborted) onAbort();
  });
  try {
    const asked = async (): Promise<T> => {
      const plain = await connected(connect, url.hostname, port, limited);
      line = plain;
      // Also between a request's end and the line's: an error without a listener would end the process.
      plain.on("error", () => undefined);
      if (limited.aborted) {
        plain.destroy();
        throw new TooLate();
      }
      const ready = isTls ? await secured(plain, url, caCertificate) : plain;
      line = ready;
      return await read(await answered(ready, question));
    };
    const asking = asked();
    asking.catch(() => undefined);
    return await Promise.race([asking, tooLate]);
  } finally {
    end();
  }
}

/** A line that does not come about may need a proxy that nobody told us to use. */
async function connected(connect: Connect, host: string, port: number, signal: AbortSignal): Promise<Duplex> {
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
  const port = url.port === "" ? 443 : Number(url.port);
  if (!isCertificateError(code) || proxyFor(url.hostname, port) === null) return error;
  return new NoAnswer(`${lineErrorText(code)}; ${OPENED_TLS}`);
}

async function secured(line: Duplex, url: URL, caCertificate: string | undefined): Promise<Duplex> {
  const host = bareHost(url.hostname);
  return await new Promise((resolve, reject) => {
    const socket = connectTls({
      socket: line,
      host,
      ...(isIP(host) === 0 ? { servername: host } : {}),
      ...(caCertificate === undefined ? {} : { ca: [...rootCertificates, caCertificate] }),
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

async function answered(
  line: Duplex,
  { url, method, headers, body, onSending }: HttpQuestion,
): Promise<IncomingMessage> {
  onSending?.();
  return await new Promise((resolve, reject) => {
    const outgoing = request({
      method,
      path: `${url.pathname}${url.search}`,
      headers: {
        ...headers,
        Host: url.host,
        Connection: "close",
        ...(body === null ? {} : { "Content-Length": body.length }),
      },
      maxHeaderSize: MAX_HEADER_BYTES,
      createConnection: () => line,
    });
    outgoing.on("error", reject);
    outgoing.once("response", (answer) => {
      answer.on("error", () => undefined);
      resolve(answer);
    });
    outgoing.once("upgrade", (answer) => resolve(answer));
    outgoing.end(body ?? undefined);
  });
}
