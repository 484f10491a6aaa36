/**
 * One HTTP request on a connection of its own, wherever that begins: a balancer may choose another replica for each,
 * redirects are answers like any other, and TLS is always verified.
 */
import { type IncomingMessage, request } from "node:http";
import type { Duplex } from "node:stream";
import { ignoredProxyText } from "../../lib/proxy/way-out.ts";
import type { Connect } from "./dial.ts";
import { openLine, portOf, secured } from "./line.ts";
import { NoAnswer } from "./reasons.ts";

const MAX_HEADER_BYTES = 32_768;

export class TooLate extends Error {}

export interface HttpQuestion {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  /** Trusted in addition to the public authorities. */
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
      const plain = await openLine(connect, url.hostname, portOf(url), limited);
      line = plain;
      // Also between a request's end and the line's: an error without a listener would end the process.
      plain.on("error", () => undefined);
      if (limited.aborted) {
        plain.destroy();
        throw new TooLate();
      }
      const ready = url.protocol === "https:" ? await secured(plain, url, caCertificate) : plain;
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
