/**
 * Railway's failures in the catalogue's words. Codes, status and trace id are copied; messages are only matched, and
 * dropped with everything else: graphql-request puts the variables of a request, and so values, into its errors.
 *
 * Railway's own codes are coarse (most refusals are INTERNAL_SERVER_ERROR), so known messages decide first. What
 * nobody knows and Railway calls internal may have been done: for a write it is an unknown outcome.
 */
import { type ErrorCode, LockstepError } from "../../../core/errors.ts";

/** What is known of a failed request without any text of its body. */
export interface RequestFailure {
  readonly operation: string;
  readonly target: string;
  /** A mutation: then silence is not a "no". */
  readonly write: boolean;
}

export interface GraphqlProblem {
  readonly message: string;
  readonly code: string | null;
  readonly traceId: string | null;
}

/** `details.reason` of refusals that a caller here goes on from. */
export const NO_SNAPSHOT = "no-snapshot";
export const NO_VARIABLE = "no-variable";
export const NO_DEPLOYMENT = "no-deployment";

const MINUTE_MS = 60_000;
const DEFAULT_RATE_WAIT_MS = MINUTE_MS;
const MAX_RATE_WAIT_MS = 60 * MINUTE_MS;

/** Sent or not, nobody answered. */
export function noAnswer(failure: RequestFailure, why: string, extra: Extra = {}): LockstepError {
  return failure.write
    ? make(failure, "TARGET_OUTCOME_UNKNOWN", `${why}; whether it was done is not known`, { extra })
    : make(failure, "TARGET_UNAVAILABLE", why, { extra });
}

/** Surely not sent. */
export function unreachable(failure: RequestFailure, why: string): LockstepError {
  return make(failure, "TARGET_UNREACHABLE", why);
}

export function rateLimited(failure: RequestFailure, retryAfterMs: number | null): LockstepError {
  return make(failure, "TARGET_RATE_LIMITED", "Railway's request limit is reached", {
    retryAfterMs: retryAfterMs ?? DEFAULT_RATE_WAIT_MS,
  });
}

/** The token lives and yet was refused: Railway has one message for foreign, deleted and restricted things. */
export function outOfReach(failure: RequestFailure, reaches: string | null): LockstepError {
  return make(
    failure,
    "TARGET_MISSING",
    "the token is valid, but does not reach this project, environment or service, or it does not exist",
    {
      hint:
        reaches === null
          ? "`lockstep target test` names which of them."
          : `It reaches ${reaches}: use a token of this environment, or correct the ids.`,
    },
  );
}

/** An answer that is not GraphQL: the edge's pages, proxies, redirects. */
export function badStatus(
  failure: RequestFailure,
  status: number,
  retryAfterMs: number | null,
): LockstepError {
  const extra = { status };
  if (status === 429) return rateLimited(failure, retryAfterMs);
  if (status >= 500) return noAnswer(failure, `Railway answered ${status}`, extra);
  if (status === 401) return make(failure, "TARGET_CREDENTIAL_REJECTED", "the token was refused", { extra });
  if (status === 403) {
    return make(failure, "TARGET_UNAVAILABLE", "Railway's edge blocked the request (403)", {
      retryAfterMs: 5 * MINUTE_MS,
      extra,
    });
  }
  if (status >= 200 && status < 300)
    return noAnswer(failure, `the answer (${status}) was not GraphQL`, extra);
  return make(failure, "TARGET_PROTOCOL", `the answer (${status}) was not GraphQL`, {
    hint: "Check the endpoint.",
    extra,
  });
}

interface Known {
  readonly pattern: RegExp;
  readonly code: ErrorCode;
  readonly why: string;
  readonly hint?: string;
  readonly retryAfterMs?: number;
  readonly reason?: string;
}

/** The first that fits one of the messages. */
const KNOWN: readonly Known[] = [
  {
    pattern: /not authorized|unauthorized|project token not found|invalid token/i,
    code: "TARGET_CREDENTIAL_REJECTED",
    why: "the token was refused",
    hint: "Give the target a valid token, and leave `tokenKind` out unless it is sure; then run `lockstep apply`.",
  },
  {
    pattern: /two factor authentication required/i,
    code: "TARGET_PERMISSION",
    why: "the workspace asks for two-factor authentication",
    hint: "Use a project token, which is not bound to a person.",
  },
  {
    pattern: /service deployment rate limit exceeded/i,
    code: "TARGET_RATE_LIMITED",
    why: "the service was deployed too often in a short time",
    retryAfterMs: 3 * MINUTE_MS,
  },
  {
    pattern: /cannot redeploy yet|wait for the original deployment/i,
    code: "TARGET_UNAVAILABLE",
    why: "another deployment of the service is still being built",
    retryAfterMs: 10_000,
  },
  {
    pattern: /without a snapshot/i,
    code: "TARGET_REFUSED",
    why: "the deployment was never built and cannot be repeated",
    reason: NO_SNAPSHOT,
  },
  {
    pattern: /\bdeployment not found/i,
    code: "TARGET_UNAVAILABLE",
    why: "the deployment is not registered yet",
    retryAfterMs: 2_000,
    reason: NO_DEPLOYMENT,
  },
  {
    pattern: /\bvariable\b.{0,80}\b(?:not found|does not exist)/i,
    code: "TARGET_MISSING",
    why: "the variable is not there",
    reason: NO_VARIABLE,
  },
  {
    pattern: /not found|does not exist|deleted/i,
    code: "TARGET_MISSING",
    why: "Railway knows no such project, environment or service",
  },
  { pattern: /invalid input/i, code: "TARGET_REFUSED", why: "Railway does not accept a name or a value" },
];

const THROTTLED = /rate limit|too many requests|try again in|whoa there/i;

/** An answer in GraphQL with errors; Railway answers 200 for refusals, 400 for documents that it does not accept. */
export function graphqlError(
  failure: RequestFailure,
  status: number,
  problems: readonly GraphqlProblem[],
): LockstepError {
  const codes = problems.map(({ code }) => code).filter((code) => code !== null);
  const extra = { status, codes, traceId: problems.find(({ traceId }) => traceId !== null)?.traceId ?? null };
  for (const { pattern, code, why, hint, retryAfterMs, reason } of KNOWN) {
    if (!problems.some(({ message }) => pattern.test(message))) continue;
    return make(failure, code, why, {
      ...(hint === undefined ? {} : { hint }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
      extra: reason === undefined ? extra : { ...extra, reason },
    });
  }
  const throttled = problems.find(({ message }) => THROTTLED.test(message));
  if (throttled !== undefined) return rateLimited(failure, waitIn(throttled.message));
  const masked = problems.some(({ message }) => /problem processing request/i.test(message));
  if (masked || codes.includes("INTERNAL_SERVER_ERROR") || status >= 500)
    return noAnswer(failure, "Railway had a problem of its own", extra);
  if (status === 400 || codes.some((code) => code.startsWith("GRAPHQL_"))) {
    return make(failure, "TARGET_PROTOCOL", "Railway did not accept the request's form", {
      hint: "Railway's API may have changed; look for a newer release of Lockstep.",
      extra,
    });
  }
  return make(failure, "TARGET_REFUSED", "Railway refused it", { extra });
}

/** "Try again in 12 seconds" and the like; null when it does not say. */
function waitIn(message: string): number | null {
  const match = /\bin (\d{1,5}) ?(s|sec|second|m|min|minute|h|hour)s?\b/i.exec(message);
  if (match === null) return null;
  const unitMs = { s: 1_000, m: MINUTE_MS, h: 60 * MINUTE_MS }[match[2]?.[0]?.toLowerCase() ?? "s"] ?? 1_000;
  return Math.min(Number(match[1]) * unitMs, MAX_RATE_WAIT_MS);
}

type Extra = Readonly<Record<string, unknown>>;

interface Making {
  readonly hint?: string;
  readonly retryAfterMs?: number;
  readonly extra?: Extra;
}

function make(failure: RequestFailure, code: ErrorCode, why: string, making: Making = {}): LockstepError {
  const { operation, target } = failure;
  const { extra = {}, ...options } = making;
  const message = `Cannot ${WORDS[operation] ?? "ask"} at target "${target}": ${why}.`;
  return new LockstepError(code, message, { ...options, details: { target, operation, ...extra } });
}

const WORDS: Readonly<Record<string, string>> = {
  ObserveService: "read variables",
  ObserveShared: "read variables",
  MoreServices: "read services",
  MoreVariables: "read variables",
  UpsertVariables: "write variables",
  DeleteVariables: "delete variables",
  Redeploy: "redeploy",
  Deploy: "deploy",
  Unit: "read deployments",
  FollowEnvironment: "read deployments",
  Snapshot: "read a deployment's variables",
  ProjectToken: "ask what the token reaches",
  AccountToken: "ask what the token reaches",
  ProjectTokenPlace: "ask what the token reaches",
  Projects: "list projects",
  MoreEnvironments: "list environments",
  Environment: "read the environment",
};
