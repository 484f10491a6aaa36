/** Where the callers tell what became of their calls. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Counts {
  readonly answered: number;
  readonly refused: number;
  readonly unreachable: number;
}

export interface Collector {
  readonly url: string;
  /** Since the last time it was asked. */
  take(): Counts;
  close(): Promise<void>;
}

const NONE: Counts = { answered: 0, refused: 0, unreachable: 0 };

export async function startCollector(): Promise<Collector> {
  let counts = NONE;
  const server = createServer(async (incoming, response) => {
    let text = "";
    for await (const part of incoming) text += String(part);
    const told = JSON.parse(text) as Counts;
    counts = {
      answered: counts.answered + told.answered,
      refused: counts.refused + told.refused,
      unreachable: counts.unreachable + told.unreachable,
    };
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    take() {
      const taken = counts;
      counts = NONE;
      return taken;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
