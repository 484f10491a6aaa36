/**
 * Railway's failures in the catalogue's words. Codes, status and trace id are copied; messages are only matched, and
 * dropped with everything else: graphql-request puts the variables of a request, and so values, into its errors.
 */
import { LockstepError } from "../../../core/errors.ts";

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

const MINUTE_MS = 60_000;
const DEFAULT_RATE_WAIT_MS = MINUTE_MS;

/** Sent or not, nobody answered. */
export function noAnswer(failure: RequestFailure, why: string): LockstepError {
  if (failure.write) {
    return new LockstepError(
      "TARGET_OUTCOME_UNKNOWN",
      `${doing(failure)}: ${why}; whether it was done is not known.`,
      { details: details(failure) },
    );
  }
  return new LockstepError("TARGET_UNAVAILABLE", `${doing(failure)}: ${why}.`, { details: details(failure) });
}

/** Surely not sent. */
export function unreachable(failure: RequestFailure, why: string): LockstepError {
  return new LockstepError("TARGET_UNREACHABLE", `${doing(failure)}: ${why}.`, { details: details(failure) });
}

export function rateLimited(failure: RequestFailure, retryAfterMs: number | null): LockstepError {
  return new LockstepError("TARGET_RATE_LIMITED", `${doing(failure)}: Railway's request limit is reached.`, {
    retryAfterMs: retryAfterMs ?? DEFAULT_RATE_WAIT_MS,
    details: details(failure),
  });
}

/** An answer that is not GraphQL: the edge's pages, proxies. */
export function badStatus(
  failure: RequestFailure,
  status: number,
  retryAfterMs: number | null,
): LockstepError {
  if (status === 429) return rateLimited(failure, retryAfterMs);
  if (status >= 500) return noAnswer(failure, `Railway answered ${status}`);
  if (status === 403) {
    return new LockstepError(
      "TARGET_UNAVAILABLE",
      `${doing(failure)}: Railway's edge blocked the request (403).`,
      {
        retryAfterMs: 5 * MINUTE_MS,
        details: details(failure, { status }),
      },
    );
  }
  if (status >= 200 && status < 300) return noAnswer(failure, `the answer (${status}) was not GraphQL`);
  return new LockstepError("TARGET_PROTOCOL", `${doing(failure)}: the answer (${status}) was not GraphQL.`, {
    hint: "Check the endpoint.",
    details: details(failure, { status }),
  });
}

interface Known {
  readonly pattern: RegExp;
  readonly make: (failure: RequestFailure) => LockstepError;
}

const KNOWN: readonly Known[] = [
  {
    pattern: /not authorized|unauthorized|project token not found|invalid token/i,
    make: (failure) =>
      new LockstepError(
        "TARGET_CREDENTIAL_REJECTED",
        `${doing(failure)}: the token was refused, or it does not reach this project, environment or service.`,
        {
          hint: "`lockstep target test` tells the causes apart.",
          details: details(failure),
        },
      ),
  },
  {
    pattern: /two factor authentication required/i,
    make: (failure) =>
      new LockstepError(
        "TARGET_PERMISSION",
        `${doing(failure)}: the workspace asks for two-factor authentication.`,
        {
          hint: "Use a project token, which is not bound to a person.",
          details: details(failure),
        },
      ),
  },
  {
    pattern: /service deployment rate limit exceeded/i,
    make: (failure) =>
      new LockstepError(
        "TARGET_RATE_LIMITED",
        `${doing(failure)}: the service was deployed too often in a short time.`,
        {
          retryAfterMs: 3 * MINUTE_MS,
          details: details(failure),
        },
      ),
  },
  {
    pattern: /rate limit|too many requests|try again in|whoa there/i,
    make: (failure) => rateLimited(failure, null),
  },
  {
    pattern: /cannot redeploy yet|wait for the original deployment/i,
    make: (failure) =>
      new LockstepError(
        "TARGET_UNAVAILABLE",
        `${doing(failure)}: another deployment of the service is still being built.`,
        {
          retryAfterMs: 10_000,
          details: details(failure),
        },
      ),
  },
  {
    pattern: /deployment not found/i,
    make: (failure) =>
      new LockstepError("TARGET_UNAVAILABLE", `${doing(failure)}: the deployment is not registered yet.`, {
        retryAfterMs: 2_000,
        details: details(failure),
      }),
  },
  {
    pattern: /not found|does not exist|deleted/i,
    make: (failure) =>
      new LockstepError(
        "TARGET_MISSING",
        `${doing(failure)}: Railway knows no such project, environment or service.`,
        { details: details(failure) },
      ),
  },
  {
    pattern: /problem processing request|internal server error/i,
    make: (failure) => noAnswer(failure, "Railway had a problem of its own"),
  },
];

/** An answer in GraphQL with errors; Railway answers 200 for refusals, 400 for documents that it does not accept. */
export function graphqlError(
  failure: RequestFailure,
  status: number,
  problems: readonly GraphqlProblem[],
): LockstepError {
  for (const { pattern, make } of KNOWN) {
    if (problems.some(({ message }) => pattern.test(message))) return make(failure);
  }
  const codes = problems.map(({ code }) => code).filter((code) => code !== null);
  const extra = { status, codes, traceId: problems[0]?.traceId ?? null };
  if (codes.includes("INTERNAL_SERVER_ERROR")) return noAnswer(failure, "Railway had a problem of its own");
  if (status === 400 || codes.some((code) => code.startsWith("GRAPHQL_"))) {
    return new LockstepError(
      "TARGET_PROTOCOL",
      `${doing(failure)}: Railway did not accept the request's form.`,
      {
        hint: "Railway's API may have changed; look for a newer release of Lockstep.",
        details: details(failure, extra),
      },
    );
  }
  return new LockstepError("TARGET_REFUSED", `${doing(failure)}: Railway refused it.`, {
    details: details(failure, extra),
  });
}

function doing({ operation, target }: RequestFailure): string {
  return `Cannot ${WORDS[operation] ?? "ask"} at target "${target}"`;
}

const WORDS: Readonly<Record<string, string>> = {
  ObserveService: "read variables",
  ObserveShared: "read variables",
  MoreVariables: "read variables",
  UpsertVariables: "write variables",
  DeleteVariable: "delete a variable",
  Redeploy: "redeploy",
  Deploy: "deploy",
  Unit: "read deployments",
  FollowEnvironment: "read deployments",
  Snapshot: "read a deployment's variables",
};

function details(failure: RequestFailure, more: Readonly<Record<string, unknown>> = {}) {
  return { target: failure.target, operation: failure.operation, ...more };
}
