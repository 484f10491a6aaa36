/** One request to the server and its answer, over the address that was named or over this machine's own line. */
import { request as httpRequest } from "node:http";
import { text } from "node:stream/consumers";
import { LockstepError } from "../../core/errors.ts";
import { findLocalServer } from "./local-line.ts";

export interface Exchange {
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal: AbortSignal;
}

export interface Transport {
  /** For messages. */
  readonly place: string;
  /** Null: no answer came. Foreign errors are dropped: they may quote headers. */
  send(exchange: Exchange): Promise<{ readonly status: number; readonly text: string } | null>;
}

/** To LOCKSTEP_URL, and never to where it redirects. */
export function overUrl(url: string): Transport {
  return {
    place: `at ${url}`,
    async send({ method, path, headers, body, signal }) {
      try {
        const init = {
          method,
          headers,
          signal,
          redirect: "error",
          ...(body === null ? {} : { body }),
        } as const;
        const response = await fetch(`${url}${path}`, init);
        return { status: response.status, text: await response.text() };
      } catch {
        return null;
      }
    },
  };
}

/** To the server of this data directory, which is looked at anew before each request: it may be another by now. */
export function overLocalLine(dataDirectory: string): Transport {
  return {
    place: `on ${dataDirectory}`,
    async send(exchange) {
      const local = await findLocalServer(dataDirectory);
      return local === null ? null : overSocket(local.socket, exchange);
    },
  };
}

function overSocket(
  socketPath: string,
  { method, path, headers, body, signal }: Exchange,
): Promise<{ readonly status: number; readonly text: string } | null> {
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
      text(response).then(
        (answered) => resolve({ status: response.statusCode ?? 0, text: answered }),
        () => resolve(null),
      );
    });
    request.end(body ?? undefined);
  });
}

export function unreachable(transport: Transport): LockstepError {
  return new LockstepError("SERVER_UNREACHABLE", `Cannot reach Lockstep ${transport.place}: no answer.`);
}
