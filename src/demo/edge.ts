/**
 * The front of the simulated Railway: one address for a service, whatever deployment serves it. Each replica listens
 * on a port of its own and writes it to a file once it listens; requests go to the newest.
 */
import { readFileSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import type { AddressInfo } from "node:net";

export interface Edge {
  readonly url: string;
  close(): Promise<void>;
}

export async function startEdge(portFile: string): Promise<Edge> {
  const agent = new Agent({ keepAlive: true });
  const server = createServer((incoming, response) => {
    const fail = (): void => {
      if (!response.headersSent) response.writeHead(502);
      response.end();
    };
    const port = newestPort(portFile);
    if (port === null) return fail();
    const { method, url, headers } = incoming;
    const outgoing = request({ host: "127.0.0.1", port, agent, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.on("error", fail).pipe(response);
    });
    outgoing.on("error", fail);
    incoming.pipe(outgoing);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        agent.destroy();
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function newestPort(file: string): number | null {
  try {
    return Number(readFileSync(file, "utf8"));
  } catch {
    return null;
  }
}
