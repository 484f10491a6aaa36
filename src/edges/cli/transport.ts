/**
 * One request to the server and its answer, over the address that was named or over this machine's own line. Whoever
 * answers there can not fill the memory: what is larger than any answer of ours is not fetched to its end.
 */
import { request as httpRequest } from "node:http";
import { LockstepError } from "../../core/errors.ts";
import { fetchThrough } from "../../lib/proxy/fetch-through.ts";
import { ProxyError } from "../../lib/proxy/tunnel.ts";
import { ignoredProxyText } from "../../lib/proxy/way-out.ts";
import { findLocalServer } from "./local-line.ts";

export interface Exchange {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignal;
}

export interface Answered {
  readonly status: number;
  readonly contentType: string;
  readonly text: string;
}

export interface Transport {
  /** For messages. */
  readonly place: string;
  /** Said of a variable that names a proxy, where no answer comes. */
  readonly ignoredProxy?: string;
  /**
   * Null: no answer came, or not all of it. Foreign errors are dropped: they may quote headers. Throws
   * SERVER_UNREACHABLE for an answer that is too large, and for what a proxy in between says.
   */
  send(exchange: Exchange): Promise<Answered | null>;
}

/** Many times what a store with all its bindings answers. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

export const SOMETHING_ELSE = "Check LOCKSTEP_URL and the proxies between this machine and the server.";

/** To LOCKSTEP_URL, and never to where it redirects. */
export function overUrl(url: string): Transport {
  const place = `at ${url}`;
  return {
    place,
    ignoredProxy: ignoredProxyText(new URL(url).hostname),
    async send({ method, path, headers, body, signal }) {
      let answered: Partial<Answered>;
      try {
        const response = await fetchThrough(`${url}${path}`, {
          method,
          headers: { ...headers, "accept-encoding": "identity" },
          body,
          signal,
        });
        const text = response.body === null ? "" : await textWithin(bytesOf(response.body));
        answered = {
          status: response.status,
          contentType: response.headers.get("content-type") ?? "",
          ...(text === null ? {} : { text }),
        };
      } catch (error) {
        if (error instanceof ProxyError) throw notReached(place, error.message);
        return null;
      }
      return whole(answered, place);
    },
  };
}

/** To the server of this data directory, which is looked at anew before each request: it may be another by now. */
export function overLocalLine(dataDirectory: string): Transport {
  const place = `on ${dataDirectory}`;
  return {
    place,
    async send(exchange) {
      const local = await findLocalServer(dataDirectory);
      const answered = local === null ? null : await overSocket(local.socket, exchange);
      return answered === null ? null : whole(answered, place);
    },
  };
}

function overSocket(
  socketPath: string,
  { method, path, headers, body, signal }: Exchange,
): Promise<Partial<Answered> | null> {
  return new Promise((resolve) => {
    const request = httpRequest({
      socketPath,
      method,
      path,
      signal,
      agent: false,
      headers: { ...headers, host: "localhost", connection: "close" },
    });
    request.on("error", () => resolve(null));
    request.once("response", (response) => {
      const told = {
        status: response.statusCode ?? 0,
        contentType: response.headers["content-type"] ?? "",
      };
      textWithin(response).then(
        (text) => resolve(text === null ? told : { ...told, text }),
        () => resolve(null),
      );
    });
    request.end(body ?? undefined);
  });
}

/** Null: larger than what we answer; the rest is not fetched. */
async function textWithin(body: AsyncIterable<Uint8Array>): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > MAX_ANSWER_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** Its types leave out that it can be iterated. */
function bytesOf(body: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  return body as unknown as AsyncIterable<Uint8Array>;
}

function whole({ status = 0, contentType = "", text }: Partial<Answered>, place: string): Answered {
  if (text !== undefined) return { status, contentType, text };
  throw new LockstepError(
    "SERVER_UNREACHABLE",
    `Cannot use what answers ${place}: it is larger than ${MAX_ANSWER_BYTES / 1024 / 1024} MiB.`,
    { hint: SOMETHING_ELSE },
  );
}

export function unreachable(transport: Transport): LockstepError {
  return notReached(transport.place, `no answer${transport.ignoredProxy ?? ""}`);
}

function notReached(place: string, why: string): LockstepError {
  return new LockstepError("SERVER_UNREACHABLE", `Cannot reach Lockstep ${place}: ${why}.`);
}
