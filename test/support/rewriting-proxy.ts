/**
 * A proxy between agents and their server that has everything a proxy can have: it ended the TLS, reads every byte both
 * ways and changes what it likes. What it cannot do, the tests that use it show.
 */
import { once } from "node:events";
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface Passing {
  readonly method: string;
  readonly path: string;
  /** 0 on the way to the server. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

export type Rewrite = (passing: Passing) => Passing | Promise<Passing>;

export interface RewritingProxy {
  readonly url: string;
  /** Every byte that passed, headers included, before it was changed. */
  captured(): string;
  /** Requests and answers as they came, oldest first. */
  readonly requests: readonly Passing[];
  readonly answers: readonly Passing[];
  /** From now on. Nothing: pass it on as it is. */
  rewrite(changes: { readonly request?: Rewrite; readonly answer?: Rewrite }): void;
  /** Sends it to the server once more, as the proxy's own. */
  replay(request: Passing): Promise<Passing>;
  stop(): Promise<void>;
}

const same: Rewrite = (passing) => passing;

export async function startRewritingProxy(serverUrl: string): Promise<RewritingProxy> {
  const upstream = new URL(serverUrl);
  const requests: Passing[] = [];
  const answers: Passing[] = [];
  const streamed: string[] = [];
  let rewriteRequest = same;
  let rewriteAnswer = same;

  const send = (passing: Passing): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const { method, path, headers, body } = passing;
      const { "content-length": _, "transfer-encoding": __, ...rest } = headers;
      const outgoing = httpRequest(
        {
          host: upstream.hostname,
          port: upstream.port,
          method,
          path,
          agent: false,
          headers: {
            ...rest,
            ...(body === "" && method === "GET" ? {} : { "content-length": Buffer.byteLength(body) }),
          },
        },
        resolve,
      );
      outgoing.on("error", reject);
      outgoing.end(body);
    });

  const read = async (
    message: IncomingMessage,
    { method, path }: { readonly method: string; readonly path: string },
  ): Promise<Passing> => ({
    method,
    path,
    status: message.statusCode ?? 0,
    headers: Object.fromEntries(
      Object.entries(message.headers).map(([name, value]) => [name, String(value)]),
    ),
    body: (await buffer(message)).toString("utf8"),
  });

  const pass = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const asked = await read(incoming, { method: incoming.method ?? "", path: incoming.url ?? "" });
    requests.push(asked);
    const answer = await send(await rewriteRequest(asked));
    if (answer.headers["content-type"] === "text/event-stream") {
      outgoing.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.on("data", (chunk: Buffer) => streamed.push(chunk.toString("utf8")));
      answer.on("error", () => outgoing.destroy());
      outgoing.on("close", () => answer.destroy());
      answer.pipe(outgoing);
      return;
    }
    const came = await read(answer, asked);
    answers.push(came);
    const { status, headers, body } = await rewriteAnswer(came);
    const { "content-length": _, "transfer-encoding": __, ...rest } = headers;
    outgoing.writeHead(status, {
      ...rest,
      ...(status === 204 ? {} : { "content-length": Buffer.byteLength(body) }),
    });
    outgoing.end(body);
  };

  const server = createServer((incoming, outgoing) => {
    pass(incoming, outgoing).catch(() => outgoing.destroy());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answers,
    captured: () =>
      [...requests, ...answers].map((passing) => JSON.stringify(passing)).join("\n") + streamed.join(""),
    rewrite: ({ request = same, answer = same }) => {
      rewriteRequest = request;
      rewriteAnswer = answer;
    },
    replay: async (request) => read(await send(request), request),
    stop: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
