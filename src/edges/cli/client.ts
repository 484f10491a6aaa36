/**
 * Speaks with the server. Promises: the token goes over the one line that was chosen, never after a redirect; every
 * write carries an Idempotency-Key, so that a lost answer is asked for again without doing the work twice; what the
 * server says arrives as a LockstepError in the catalogue's words.
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
import { type Exchange, type Transport, unreachable } from "./transport.ts";

export interface ServerLine {
  readonly transport: Transport;
  readonly token: SecretValue;
}

const TIMEOUT_MS = 120_000;
const NEVER = new AbortController().signal;
const MAX_TRIES = 3;
const PAUSE_MS = 300;

export class ApiClient {
  readonly #line: ServerLine;

  constructor(line: ServerLine) {
    this.#line = line;
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
    for (let attempt = 1; ; attempt += 1) {
      const answered = await withDeadline(signal ?? NEVER, TIMEOUT_MS, (limited) =>
        this.#line.transport.send({ ...exchange, signal: limited }),
      );
      if (answered !== null) return documentIn(answered);
      signal?.throwIfAborted();
      if (attempt === MAX_TRIES) throw unreachable(this.#line.transport);
      await delay(PAUSE_MS * attempt, undefined, signal === undefined ? {} : { signal });
    }
  }
}

/** Throws what the server says in the catalogue's words. */
function documentIn({ status, text }: { readonly status: number; readonly text: string }): unknown {
  const document = parseJson(text);
  if (status >= 200 && status < 300 && document !== undefined) return document;
  throw toError(status, document);
}

function toError(status: number, document: unknown): LockstepError {
  const parsed = problem.safeParse(document);
  if (!parsed.success) {
    return new LockstepError(
      "SERVER_UNREACHABLE",
      `Something else than Lockstep answered (HTTP ${status}).`,
      {
        hint: "Check LOCKSTEP_URL and what stands between here and the server.",
      },
    );
  }
  const { code, detail, hint, details } = parsed.data;
  if (!isKnown(code)) {
    return new LockstepError("INTERNAL", `${code}: ${detail}`, { hint, details });
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
