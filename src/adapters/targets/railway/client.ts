/**
 * One request to Railway: budget, token header, timeout, translation of every failure, bookkeeping of what Railway
 * says about its limits. Nothing that was sent or answered leaves in an error.
 */
import { createHash } from "node:crypto";
import { ClientError, GraphQLClient } from "graphql-request";
import { LockstepError } from "../../../core/errors.ts";
import type { RequestBudget } from "../../../core/ports/target.ts";
import type { SecretValue } from "../../../core/secret-value.ts";
import { DOCUMENTS, type OperationName } from "./documents.ts";
import {
  badStatus,
  type GraphqlProblem,
  graphqlError,
  noAnswer,
  type RequestFailure,
  unreachable,
} from "./errors.ts";

export type TokenKind = "project" | "account";

export interface RailwayClientOptions {
  readonly endpoint: string;
  readonly token: SecretValue;
  readonly requestTimeoutMs: number;
  readonly target: string;
  readonly budget: RequestBudget;
  readonly purpose: "push" | "background";
}

const USER_AGENT = "lockstep (+https://github.com/lockstep)";
/** Before the connection stood: nothing was sent. */
const NOT_SENT = new Set([
  "ECONNREFUSED",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "UND_ERR_CONNECT_TIMEOUT",
]);

/** Token kinds cannot be told apart by their text; what was found out is kept, keyed by the budget key. */
const knownKinds = new Map<string, TokenKind>();

export class RailwayClient {
  readonly #options: RailwayClientOptions;
  readonly budgetKey: string;

  constructor(options: RailwayClientOptions) {
    this.#options = options;
    const digest = createHash("sha256")
      .update(options.endpoint)
      .update("\0")
      .update(options.token.reveal())
      .digest("hex");
    this.budgetKey = `railway:${digest.slice(0, 24)}`;
  }

  /** Asks once per process which header the token wants: a project token sent as bearer is "Not Authorized". */
  async tokenKind(signal: AbortSignal): Promise<TokenKind> {
    const known = knownKinds.get(this.budgetKey);
    if (known !== undefined) return known;
    try {
      await this.#send("ProjectToken", {}, { kind: "project", write: false }, signal);
      knownKinds.set(this.budgetKey, "project");
      return "project";
    } catch (error) {
      if (!(error instanceof LockstepError) || error.code !== "TARGET_CREDENTIAL_REJECTED") throw error;
    }
    await this.#send("AccountToken", {}, { kind: "account", write: false }, signal);
    knownKinds.set(this.budgetKey, "account");
    return "account";
  }

  async read(operation: OperationName, variables: object, signal: AbortSignal): Promise<unknown> {
    return this.#send(operation, variables, { kind: await this.tokenKind(signal), write: false }, signal);
  }

  /** Throws TARGET_OUTCOME_UNKNOWN when it may have been done. Not sent once `signal` has aborted. */
  async write(operation: OperationName, variables: object, signal: AbortSignal): Promise<unknown> {
    return this.#send(operation, variables, { kind: await this.tokenKind(signal), write: true }, signal);
  }

  async #send(
    operation: OperationName,
    variables: object,
    how: { readonly kind: TokenKind; readonly write: boolean },
    signal: AbortSignal,
  ): Promise<unknown> {
    const { endpoint, token, requestTimeoutMs, target, budget, purpose } = this.#options;
    const failure: RequestFailure = { operation, target, write: how.write };
    await budget.take(this.budgetKey, 1, how.write ? "push" : purpose);
    if (signal.aborted) throw unreachable({ ...failure, write: false }, "the time for it is over");
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(requestTimeoutMs)]);
    let bad: LockstepError | null = null;
    const client = new GraphQLClient(endpoint, {
      headers: {
        "user-agent": USER_AGENT,
        ...(how.kind === "project"
          ? { "project-access-token": token.reveal() }
          : { authorization: `Bearer ${token.reveal()}` }),
      },
      fetch: async (input: string | URL | Request, init?: RequestInit) => {
        const response = await fetch(input, { ...init, redirect: "manual", signal: deadline });
        await this.#reportLimits(response);
        bad = unusable(failure, response);
        return response;
      },
    });
    try {
      return await client.request<unknown>(DOCUMENTS[operation], variables);
    } catch (error) {
      throw bad ?? translate(error, failure, deadline.aborted);
    }
  }

  async #reportLimits(response: Response): Promise<void> {
    const limit = wholeNumber(response.headers.get("x-ratelimit-limit"));
    const remaining = wholeNumber(response.headers.get("x-ratelimit-remaining"));
    const resetsAt = instant(response.headers.get("x-ratelimit-reset"));
    const waitMs = response.status === 429 ? retryAfterMs(response) : null;
    if (limit === null && remaining === null && waitMs === null) return;
    await this.#options.budget.report(this.budgetKey, {
      ...(limit === null ? {} : { limit }),
      ...(remaining === null ? {} : { remaining }),
      ...(resetsAt === null ? {} : { resetsAt }),
      ...(waitMs === null ? {} : { retryAfterMs: waitMs }),
    });
  }
}

/** Answers that must not reach a JSON parser. */
function unusable(failure: RequestFailure, response: Response): LockstepError | null {
  const json = (response.headers.get("content-type") ?? "").includes("json");
  if (response.status === 429 || !json) return badStatus(failure, response.status, retryAfterMs(response));
  if (response.status >= 500) return badStatus(failure, response.status, null);
  return null;
}

function translate(error: unknown, failure: RequestFailure, aborted: boolean): LockstepError {
  if (error instanceof ClientError) {
    return graphqlError(failure, error.response.status, (error.response.errors ?? []).map(toProblem));
  }
  if (aborted) return noAnswer(failure, "no answer came in time");
  const code = causeCode(error);
  if (code !== null && NOT_SENT.has(code)) return unreachable(failure, `it was not reached (${code})`);
  return noAnswer(failure, `the connection broke${code === null ? "" : ` (${code})`}`);
}

function toProblem(problem: { readonly message: string; readonly extensions?: unknown }): GraphqlProblem {
  const extensions = isRecord(problem.extensions) ? problem.extensions : {};
  const { code, traceId } = extensions;
  return {
    message: problem.message,
    code: typeof code === "string" && /^[A-Z_]{1,64}$/.test(code) ? code : null,
    traceId: typeof traceId === "string" && /^[A-Za-z0-9-]{1,64}$/.test(traceId) ? traceId : null,
  };
}

function causeCode(error: unknown): string | null {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string" && /^[A-Z_]{1,40}$/.test(at.code)) return at.code;
  }
  return null;
}

function retryAfterMs(response: Response): number | null {
  const seconds = wholeNumber(response.headers.get("retry-after"));
  return seconds === null ? null : seconds * 1_000;
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,12}$/.test(text.trim()) ? Number(text) : null;
}

/** Seconds since the epoch, or a date's text: which of them is not documented. */
function instant(text: string | null): Date | null {
  if (text === null) return null;
  const seconds = wholeNumber(text);
  const date = seconds === null ? new Date(text) : new Date(seconds * 1_000);
  return Number.isNaN(date.getTime()) ? null : date;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
