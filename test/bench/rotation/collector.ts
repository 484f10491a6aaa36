/** Where the callers tell what became of their calls. A caller that falls silent is an error, not a call less. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface Counts {
  readonly answered: number;
  /** 401 and 403. */
  readonly refused: number;
  /** No connection, or a front whose service does not listen. */
  readonly unreachable: number;
}

/** Values as the first letters of their sha256: enough to see which version it was. */
export interface Refusal {
  readonly caller: string;
  readonly callerPid: number;
  readonly sent: string;
  /** The verifier's address, and what its process said of itself. */
  readonly peer: string;
  readonly verifier: string;
}

/** What one caller's process tells at a time. */
export interface Told {
  readonly caller: string;
  readonly counts: Counts;
  /** Answers that no verifier gives. */
  readonly strange: readonly string[];
  readonly refusals: readonly Refusal[];
}

export interface Collector {
  readonly url: string;
  /** Since the last time it was asked. Throws when one of `callers` told nothing for long. */
  take(callers: readonly string[]): { readonly counts: Counts; readonly refusals: readonly Refusal[] };
  close(): Promise<void>;
}

const NONE: Counts = { answered: 0, refused: 0, unreachable: 0 };
/** Callers tell five times a second, and are away while they are exchanged. */
const SILENT_AFTER_MS = 10_000;

export async function startCollector(): Promise<Collector> {
  let counts = NONE;
  let refusals: Refusal[] = [];
  const strange: string[] = [];
  const heardAtMs = new Map<string, number>();
  const server = createServer(async (incoming, response) => {
    let text = "";
    for await (const part of incoming) text += String(part);
    const told = JSON.parse(text) as Told;
    heardAtMs.set(told.caller, performance.now());
    strange.push(...told.strange);
    refusals.push(...told.refusals);
    counts = {
      answered: counts.answered + told.counts.answered,
      refused: counts.refused + told.counts.refused,
      unreachable: counts.unreachable + told.counts.unreachable,
    };
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    take(callers) {
      const since = performance.now() - SILENT_AFTER_MS;
      const silent = callers.filter((caller) => (heardAtMs.get(caller) ?? 0) < since);
      if (silent.length > 0) throw new Error(`callers that count nothing any more: ${silent.join(", ")}`);
      if (strange.length > 0) throw new Error(`answers that no verifier gives: ${strange.join(", ")}`);
      const taken = { counts, refusals };
      counts = NONE;
      refusals = [];
      return taken;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
