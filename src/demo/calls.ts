/**
 * The record of who called whom and was answered how: real calls between the services, told by the callers. Also
 * answers `GET /` with the present table, for people who keep a demo running.
 */
import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

export interface Call {
  readonly from: string;
  readonly to: string;
  /** 0: no answer. */
  readonly status: number;
  /** ms, of the monotonic clock. */
  readonly at: number;
}

export interface Tally {
  readonly answered: number;
  /** 401 or 403. */
  readonly refused: number;
  /** No answer, or none from the service itself. */
  readonly lost: number;
  /** From the first to the last refused call, in ms. */
  readonly refusedForMs: number;
}

const MAX_BODY_BYTES = 64 * 1024;
/** Minutes of calls; a kept demo forgets the oldest. */
const MAX_CALLS = 20_000;

export const isRefused = ({ status }: Pick<Call, "status">): boolean => status === 401 || status === 403;

export class Calls {
  /** Where callers report. Nobody else can guess its path. */
  readonly reportTo: string;
  /** For people: the table as text. */
  readonly url: string;
  readonly close: () => Promise<void>;
  readonly #services: readonly string[];
  readonly #log: Call[] = [];
  readonly #listeners = new Set<() => void>();

  private constructor(services: readonly string[], path: string, port: number, close: () => Promise<void>) {
    this.#services = services;
    this.url = `http://127.0.0.1:${port}`;
    this.reportTo = `${this.url}${path}`;
    this.close = close;
  }

  static async start(services: readonly string[], asText: (calls: Calls) => string): Promise<Calls> {
    const path = `/report/${randomBytes(16).toString("hex")}`;
    let calls: Calls | null = null;
    const server = createServer(async (request, response) => {
      if (request.method === "POST" && request.url === path) {
        const isGood = calls?.take(await body(request)) === true;
        response.writeHead(isGood ? 204 : 400).end();
      } else {
        response.writeHead(200, { "content-type": "text/plain; charset=utf-8" });
        response.end(calls === null ? "" : asText(calls));
      }
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const close = (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    calls = new Calls(services, path, (server.address() as AddressInfo).port, close);
    return calls;
  }

  get services(): readonly string[] {
    return this.#services;
  }

  /** The newest call of a pair, and how many before it in a row were answered alike. Null: none since then. */
  latest(
    from: string,
    to: string,
    since: number,
  ): { readonly status: number; readonly inARow: number } | null {
    const calls = this.since(since).filter((call) => call.from === from && call.to === to);
    const status = calls.at(-1)?.status;
    if (status === undefined) return null;
    const other = calls.findLastIndex((call) => call.status !== status);
    return { status, inARow: calls.length - 1 - other };
  }

  since(at: number): readonly Call[] {
    const first = this.#log.findIndex((call) => call.at >= at);
    return first < 0 ? [] : this.#log.slice(first);
  }

  tally(since: number): Tally {
    const calls = this.since(since);
    const refused = calls.filter(isRefused);
    return {
      answered: calls.filter(({ status }) => status === 200).length,
      refused: refused.length,
      lost: calls.filter((call) => call.status !== 200 && !isRefused(call)).length,
      refusedForMs: Math.round((refused.at(-1)?.at ?? 0) - (refused[0]?.at ?? 0)),
    };
  }

  /**
   * Resolves when every pair's newest calls since then are answered (or refused) as told, two in a row. Rejects with
   * the signal's reason.
   */
  async until(
    isAnswered: (from: string, to: string) => boolean,
    options: { readonly since: number; readonly signal: AbortSignal },
  ): Promise<void> {
    const { since, signal } = options;
    const asTold = (from: string, to: string): boolean => {
      if (from === to) return true;
      const latest = this.latest(from, to, since);
      if (latest === null || latest.inARow < 2) return false;
      return isAnswered(from, to) ? latest.status === 200 : isRefused(latest);
    };
    const met = (): boolean => this.#services.every((from) => this.#services.every((to) => asTold(from, to)));
    await this.#met(met, signal);
  }

  take(text: string): boolean {
    const report = parseReport(text);
    if (report === null || !this.#services.includes(report.from)) return false;
    const at = performance.now();
    for (const { to, status } of report.calls) this.#log.push({ from: report.from, to, status, at });
    if (this.#log.length > MAX_CALLS) this.#log.splice(0, MAX_CALLS / 2);
    for (const listener of this.#listeners) listener();
    return true;
  }

  async #met(condition: () => boolean, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const done = (act: () => void): void => {
        this.#listeners.delete(look);
        signal.removeEventListener("abort", giveUp);
        act();
      };
      const look = (): void => {
        if (condition()) done(resolve);
      };
      const giveUp = (): void => done(() => reject(signal.reason));
      if (signal.aborted) return giveUp();
      signal.addEventListener("abort", giveUp, { once: true });
      this.#listeners.add(look);
      look();
    });
  }
}

interface Report {
  readonly from: string;
  readonly calls: readonly { readonly to: string; readonly status: number }[];
}

function parseReport(text: string): Report | null {
  try {
    const { from, calls } = JSON.parse(text) as Partial<Report>;
    if (typeof from !== "string" || !Array.isArray(calls)) return null;
    return calls.every(({ to, status }) => typeof to === "string" && typeof status === "number")
      ? { from, calls }
      : null;
  } catch {
    return null;
  }
}

async function body(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) {
    text += String(chunk);
    if (text.length > MAX_BODY_BYTES) return "";
  }
  return text;
}
