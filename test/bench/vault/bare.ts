/** The same calls without Lockstep: Node's own client over kept connections, JSON out and in, and nothing looked at. */
import { Agent as HttpAgent, request as requestHttp } from "node:http";
import { Agent, request as requestHttps } from "node:https";
import { text } from "node:stream/consumers";

export interface BareClient {
  /** Path below `/v1/`, as it stands. Rejects for a status that is no success. */
  ask(method: string, path: string, body?: unknown): Promise<unknown>;
  close(): void;
}

export function createBareClient(server: {
  readonly address: string;
  readonly token: string;
  readonly caCertificate: string | null;
}): BareClient {
  const isTls = server.address.startsWith("https:");
  const agent = isTls
    ? new Agent({
        keepAlive: true,
        maxSockets: 16,
        ...(server.caCertificate === null ? {} : { ca: server.caCertificate }),
      })
    : new HttpAgent({ keepAlive: true, maxSockets: 16 });
  const request = isTls ? requestHttps : requestHttp;
  return {
    ask: (method, path, body) =>
      new Promise((resolve, reject) => {
        const sent = body === undefined ? null : Buffer.from(JSON.stringify(body));
        const outgoing = request(
          `${server.address}/v1/${path}`,
          {
            method,
            agent,
            headers: {
              "X-Vault-Token": server.token,
              "X-Vault-Request": "true",
              ...(sent === null ? {} : { "Content-Type": "application/json", "Content-Length": sent.length }),
            },
          },
          (answer) => {
            text(answer).then((body) => {
              const status = answer.statusCode ?? 0;
              if (status >= 300) reject(new Error(`${method} ${path}: status ${status}`));
              else resolve(body === "" ? null : (JSON.parse(body) as unknown));
            }, reject);
          },
        );
        outgoing.on("error", reject);
        outgoing.end(sent ?? undefined);
      }),
    close: () => agent.destroy(),
  };
}
