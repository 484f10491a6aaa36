/**
 * One request to Railway: budget, token header, deadline, translation of every failure, bookkeeping of what Railway
 * says about its limits. Nothing that was sent or answered leaves in an error; redirects are not followed, because
 * headers, and so the token, would follow them to another origin.
 */
import { createHash } from "node:crypto";
import { ClientError, GraphQLClient } from "graphql-request";
import { LockstepError } from "../../../core/errors.ts";
import type { RequestBudget } from "../../../core/ports/target-context.ts";
import type { SecretValue } from "../../../core/secret-value.ts";
import { bareHost } from "../../../lib/addresses.ts";
import { fetchThrough } from "../../../lib/proxy/fetch-through.ts";
import { ProxyError } from "../../../lib/proxy/tunnel.ts";
import { ignoredProxyText } from "../../../lib/proxy/way-out.ts";
import { visibleLine } from "../../../lib/visible-text.ts";
import { isOver, withDeadline } from "../../../lib/with-deadline.ts";
import { claimedListeners, isOwnListener } from "../../outgoing/own-listeners.ts";
import type { TokenKind } from "./config.ts";
import {
  badStatus,
  type GraphqlProblem,
  graphqlError,
  noAnswer,
  outOfReach,
  type RequestFailure,
  unreachable,
} from "./errors.ts";
import { projectTokenAnswer } from "./wire/answers.ts";
import { DOCUMENTS, type OperationName } from "./wire/documents.ts";
import { limitsOf, retryAfterMs } from "./wire/limits.ts";

type Purpose = "push" | "background";

export interface RailwayClientOptions {
  readonly endpoint: string;
  readonly token: SecretValue;
  /** Null: it is found out, once per process. */
  readonly tokenKind: TokenKind | null;
  readonly requestTimeoutMs: number;
  readonly target: string;
  readonly budget: RequestBudget;
  /** What reads are for. */
  readonly purpose: Purpose;
}

interface Sending {
  readonly operation: OperationName;
  readonly document: string;
  readonly variables: object;
  readonly kind: TokenKind;
  readonly write: boolean;
  readonly purpose: Purpose;
}

/** Stands for an endpoint that is not on this machine. */
const RAILWAY = "railway.com";
const USER_AGENT = "lockstep-secret-sync";
/** Before the connection stood, or before its certificate was accepted: nothing was sent. */
const NOT_SENT =
  /^(?:ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT|ERR_TLS_\w+|CERT_\w+|DEPTH_ZERO_\w+|SELF_SIGNED_\w+|UNABLE_TO_\w+)$/;

/** Token kinds cannot be told apart by their text; what was found out is kept, keyed by the budget key. */
const knownKinds = new Map<string, TokenKind>();

export class RailwayClient {
  readonly #options: RailwayClientOptions;
  /** Of the token at its endpoint; not a credential. */
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
    const known = this.#options.tokenKind ?? knownKinds.get(this.budgetKey);
    if (known !== undefined) return known;
    const kind = (await this.#isAccepted("project", signal)) ? "project" : "account";
    if (kind === "account") await this.identify("account", signal);
    knownKinds.set(this.budgetKey, kind);
    return kind;
  }

  /** What the token says about itself under that header. */
  identify(kind: TokenKind, signal: AbortSignal): Promise<unknown> {
    const operation = kind === "project" ? "ProjectToken" : "AccountToken";
    return this.#send(this.#reading(operation, {}, kind), signal);
  }

  async read(
    operation: OperationName,
    variables: object,
    signal: AbortSignal,
    purpose: Purpose = this.#options.purpose,
  ): Promise<unknown> {
    const kind = await this.tokenKind(signal);
    return this.#ask({ ...this.#reading(operation, variables, kind), purpose }, signal);
  }

  /** Throws TARGET_OUTCOME_UNKNOWN when it may have been done. Not sent once `signal` has aborted. */
  async write(
    operation: OperationName,
    variables: object,
    signal: AbortSignal,
    document: string = DOCUMENTS[operation],
  ): Promise<unknown> {
    const kind = await this.tokenKind(signal);
    return this.#ask({ operation, document, variables, kind, write: true, purpose: "push" }, signal);
  }

  /** A refused token is asked about itself: if it lives, what it was used on is wrong, and that is another remedy. */
  async #ask(sending: Sending, signal: AbortSignal): Promise<unknown> {
    try {
      return await this.#send(sending, signal);
    } catch (error) {
      if (!isRejected(error)) throw error;
      const identity = await this.identify(sending.kind, signal).catch(() => null);
      if (identity === null) throw error;
      throw outOfReach(this.#failure(sending), sending.kind === "project" ? this.#placeIn(identity) : null);
    }
  }

  /** Null: not told, or nothing that can be understood. */
  #placeIn(identity: unknown): string | null {
    const found = projectTokenAnswer.safeParse(identity).data?.projectToken;
    return found === undefined
      ? null
      : visibleLine(`project ${found.projectId}, environment ${found.environmentId}`);
  }

  async #isAccepted(kind: TokenKind, signal: AbortSignal): Promise<boolean> {
    try {
      await this.identify(kind, signal);
      return true;
    } catch (error) {
      if (isRejected(error)) return false;
      throw error;
    }
  }

  async #send(sending: Sending, signal: AbortSignal): Promise<unknown> {
    const { budget, requestTimeoutMs } = this.#options;
    const failure = this.#failure(sending);
    await budget.take(this.budgetKey, 1, sending.purpose);
    // Waiting for the budget took its time, and this process may have been stopped meanwhile.
    if (isOver(signal)) throw unreachable(failure, "the time for it is over");
    if (isOurs(this.#options.endpoint)) throw unreachable(failure, "Lockstep itself listens there");
    return withDeadline(signal, requestTimeoutMs, async (limited) => {
      let bad: LockstepError | null = null;
      const client = new GraphQLClient(this.#options.endpoint, {
        headers: this.#headers(sending.kind),
        fetch: async (input: string | URL | Request, init?: RequestInit) => {
          const response = await fetchThrough(String(input instanceof Request ? input.url : input), {
            method: init?.method ?? "POST",
            headers: Object.fromEntries(new Headers(init?.headers)),
            body: typeof init?.body === "string" ? init.body : null,
            signal: limited,
          });
          await this.#reportLimits(response);
          bad = unusable(failure, response);
          return response;
        },
      });
      try {
        return await client.request<unknown>(sending.document, sending.variables);
      } catch (error) {
        throw bad ?? translate(error, failure, limited.aborted);
      }
    });
  }

  #reading(operation: OperationName, variables: object, kind: TokenKind): Sending {
    const { purpose } = this.#options;
    return { operation, document: DOCUMENTS[operation], variables, kind, write: false, purpose };
  }

  #failure({ operation, write }: Sending): RequestFailure {
    return { operation, write, target: this.#options.target };
  }

  #headers(kind: TokenKind): Record<string, string> {
    const token = this.#options.token.reveal();
    const own = kind === "project" ? { "project-access-token": token } : { authorization: `Bearer ${token}` };
    return { "user-agent": USER_AGENT, ...own };
  }

  /** A budget that cannot be written down is no reason to forget an answer that came. */
  async #reportLimits(response: Response): Promise<void> {
    const seen = limitsOf(response);
    if (seen !== null) await this.#options.budget.report(this.budgetKey, seen).catch(() => undefined);
  }
}

function isRejected(error: unknown): boolean {
  return error instanceof LockstepError && error.code === "TARGET_CREDENTIAL_REJECTED";
}

/** Answers that must not reach a JSON parser. */
function unusable(failure: RequestFailure, response: Response): LockstepError | null {
  const json = (response.headers.get("content-type") ?? "").includes("json");
  const usable = json && response.status !== 429 && response.status !== 401 && response.status < 500;
  return usable ? null : badStatus(failure, response.status, retryAfterMs(response));
}

function translate(error: unknown, failure: RequestFailure, aborted: boolean): LockstepError {
  if (error instanceof ClientError)
    return graphqlError(failure, error.response.status, (error.response.errors ?? []).map(toProblem));
  if (aborted) return noAnswer(failure, "no answer came in time");
  if (error instanceof ProxyError) return unreachable(failure, `it was not reached: ${error.message}`);
  const code = causeCode(error);
  if (code !== null && NOT_SENT.test(code))
    return unreachable(failure, `it was not reached (${code})${ignoredProxyText(RAILWAY)}`);
  return noAnswer(failure, `the connection broke${code === null ? "" : ` (${code})`}`);
}

function toProblem(problem: { readonly message: string; readonly extensions?: unknown }): GraphqlProblem {
  const { code, traceId } = isRecord(problem.extensions) ? problem.extensions : {};
  return {
    message: String(problem.message),
    code: typeof code === "string" && /^[A-Z_]{1,64}$/.test(code) ? code : null,
    traceId: typeof traceId === "string" && /^[A-Za-z0-9-]{1,64}$/.test(traceId) ? traceId : null,
  };
}

function causeCode(error: unknown): string | null {
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string" && /^[A-Z0-9_]{1,60}$/.test(at.code)) return at.code;
  }
  return null;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** By its spelling: names of loopback are the only ones that may be asked without TLS, which our listeners lack. */
function isOurs(endpoint: string): boolean {
  const { hostname, port } = new URL(endpoint);
  const asked = { host: hostname, address: hostname === "localhost" ? "127.0.0.1" : bareHost(hostname) };
  return isOwnListener({ ...asked, port: Number(port) }, claimedListeners());
}
