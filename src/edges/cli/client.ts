/**
 * Speaks with the server. Promises: the token goes over the one line that was chosen, never after a redirect; every
 * write carries an Idempotency-Key, so that a lost answer is asked for again without doing the work twice; what the
 * server says arrives as a LockstepError in the catalogue's words, bounded in size and time.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CATALOGUE } from "../../core/error-catalogue.ts";
import { type ErrorCode, LockstepError } from "../../core/errors.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import { OPERATIONS, type OperationId, type Operations } from "../../protocol/api.ts";
import { type AnswerOf, API_PREFIX, type CallOf, type Operation } from "../../protocol/api-operation.ts";
import { problem } from "../../protocol/api-parts.ts";
import { type Answered, type Exchange, SOMETHING_ELSE, type Transport, unreachable } from "./transport.ts";

export interface ServerLine {
  readonly transport: Transport;
  readonly token: SecretValue;
}

const TIMEOUT_MS = 120_000;
const NEVER = new AbortController().signal;
const MAX_TRIES = 3;
const PAUSE_MS = 300;
/** Of one message; several screens. */
const MAX_WORDS = 64 * 1024;

export class ApiClient {
  readonly #line: ServerLine;
  readonly #ended: AbortSignal;

  /** `ended` aborts every call. */
  constructor(line: ServerLine, ended: AbortSignal = NEVER) {
    this.#line = line;
    this.#ended = ended;
  }

  /** The same, whose calls end with this signal as well. */
  endedBy(signal: AbortSignal): ApiClient {
    return new ApiClient(this.#line, signal);
  }

  async call<Id extends OperationId>(
    id: Id,
    call: Partial<CallOf<Operations[Id]>> = {},
    signal?: AbortSignal,
  ): Promise<AnswerOf<Operations[Id]>> {
    const operation: Operation = OPERATIONS[id];
    const isRead = operation.method === "GET";
    const answer = await this.#send(
      {
        method: operation.method,
        path: `${API_PREFIX}${fill(operation.path, call.params ?? {})}${search(call.query ?? {})}`,
        headers: {
          authorization: `Bearer ${this.#line.token.reveal()}`,
          accept: "application/json",
          ...(isRead ? {} : { "content-type": "application/json", "idempotency-key": randomUUID() }),
        },
        body: isRead ? null : JSON.stringify(call.body ?? {}),
      },
      signal,
    );
    return answer as AnswerOf<Operations[Id]>;
  }

  async #send(exchange: Omit<Exchange, "signal">, signal: AbortSignal | undefined): Promise<unknown> {
    const stop = new AbortController();
    const abort = (): void => stop.abort();
    const both = signal === undefined ? [this.#ended] : [this.#ended, signal];
    for (const one of both) {
      if (one.aborted) abort();
      one.addEventListener("abort", abort, { once: true });
    }
    try {
      return await this.#sendUntil(exchange, stop.signal);
    } finally {
      for (const one of both) one.removeEventListener("abort", abort);
    }
  }

  async #sendUntil(exchange: Omit<Exchange, "signal">, stop: AbortSignal): Promise<unknown> {
    if (stop.aborted) throw interrupted("GET");
    for (let attempt = 1; ; attempt += 1) {
      const answered = await withDeadline(stop, TIMEOUT_MS, (limited) =>
        this.#line.transport.send({ ...exchange, signal: limited }),
      );
      if (answered !== null) return documentIn(answered);
      if (attempt === MAX_TRIES && !stop.aborted) throw unreachable(this.#line.transport);
      await delay(PAUSE_MS * attempt, undefined, { signal: stop }).catch(() => undefined);
      if (stop.aborted) throw interrupted(exchange.method);
    }
  }
}

function interrupted(method: string): LockstepError {
  return method === "GET"
    ? new LockstepError("INTERRUPTED", "Nothing was done: it was interrupted.")
    : new LockstepError(
        "INTERRUPTED",
        "Interrupted before the server answered: the server may still carry out the request.",
        { hint: "Check with `lockstep status` and `lockstep audit list` before you run the command again." },
      );
}

/** Throws what the server says in the catalogue's words. */
function documentIn({ status, contentType, text }: Answered): unknown {
  const isJson = /^application\/(?:[\w.-]+\+)?json\b/i.test(contentType);
  const document = isJson ? parseJson(text) : undefined;
  if (status >= 200 && status < 300 && typeof document === "object" && document !== null) return document;
  throw toError(status, document);
}

function toError(status: number, document: unknown): LockstepError {
  const parsed = problem.safeParse(document);
  if (!parsed.success) {
    return new LockstepError(
      "SERVER_UNREACHABLE",
      `A program other than Lockstep answered (HTTP ${status}).`,
      { hint: SOMETHING_ELSE },
    );
  }
  const { code, details } = parsed.data;
  const detail = parsed.data.detail.slice(0, MAX_WORDS);
  const hint = parsed.data.hint.slice(0, MAX_WORDS);
  if (!isKnown(code)) {
    return new LockstepError("INTERNAL", `${code.slice(0, MAX_WORDS)}: ${detail}`, { hint, details });
  }
  return new LockstepError(code, detail, { hint, details });
}

function isKnown(code: string): code is ErrorCode {
  return Object.hasOwn(CATALOGUE, code);
}

function fill(path: string, params: Readonly<Record<string, unknown>>): string {
  return path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(String(params[name])));
}

function search(query: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined);
  if (given.length === 0) return "";
  return `?${new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]))}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
