/**
 * Speaks with the server. Promises: the token goes to the one address that was chosen, never after a redirect; every
 * write carries an Idempotency-Key, so that a lost answer is asked for again without doing the work twice; what the
 * server says arrives as a LockstepError in the catalogue's words.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CATALOGUE, type ErrorCode, LockstepError } from "../../core/errors.ts";
import type { SecretValue } from "../../core/secret-value.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import { OPERATIONS, type OperationId, type Operations } from "../../protocol/api.ts";
import { type AnswerOf, API_PREFIX, type CallOf, type Operation } from "../../protocol/api-operation.ts";
import { problem } from "../../protocol/api-parts.ts";

export interface ServerAddress {
  readonly url: string;
  readonly token: SecretValue;
}

const TIMEOUT_MS = 120_000;
const NEVER = new AbortController().signal;
const MAX_TRIES = 3;
const PAUSE_MS = 300;

export class ApiClient {
  readonly #server: ServerAddress;

  constructor(server: ServerAddress) {
    this.#server = server;
  }

  get url(): string {
    return this.#server.url;
  }

  async call<Id extends OperationId>(
    id: Id,
    call: Partial<CallOf<Operations[Id]>> = {},
    signal?: AbortSignal,
  ): Promise<AnswerOf<Operations[Id]>> {
    const operation: Operation = OPERATIONS[id];
    const address = `${this.#server.url}${API_PREFIX}${fill(operation.path, call.params ?? {})}${search(call.query ?? {})}`;
    const request: RequestInit = {
      method: operation.method,
      redirect: "error",
      headers: {
        authorization: `Bearer ${this.#server.token.reveal()}`,
        accept: "application/json",
        ...(operation.method === "GET"
          ? {}
          : { "content-type": "application/json", "idempotency-key": randomUUID() }),
      },
      ...(operation.method === "GET" ? {} : { body: JSON.stringify(call.body ?? {}) }),
    };
    const answer = await this.#send(address, request, signal);
    return answer as AnswerOf<Operations[Id]>;
  }

  async #send(address: string, request: RequestInit, signal: AbortSignal | undefined): Promise<unknown> {
    for (let attempt = 1; ; attempt += 1) {
      const answered = await withDeadline(signal ?? NEVER, TIMEOUT_MS, (limited) =>
        this.#try(address, { ...request, signal: limited }),
      );
      if (answered !== null) return answered.document;
      signal?.throwIfAborted();
      if (attempt === MAX_TRIES) {
        throw new LockstepError(
          "SERVER_UNREACHABLE",
          `Cannot reach Lockstep at ${this.#server.url}: no answer.`,
        );
      }
      await delay(PAUSE_MS * attempt, undefined, signal === undefined ? {} : { signal });
    }
  }

  /** Null: no answer came. */
  async #try(address: string, request: RequestInit): Promise<{ readonly document: unknown } | null> {
    let response: Response;
    let text: string;
    try {
      response = await fetch(address, request);
      text = await response.text();
    } catch {
      // The foreign error is dropped: it may quote headers.
      return null;
    }
    const document = parseJson(text);
    if (response.ok && document !== undefined) return { document };
    throw toError(response.status, document);
  }
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
