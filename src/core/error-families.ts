/** What a family of errors means to whoever meets one: whether to try again, the HTTP status, the exit code. */
export type RetryVerdict =
  | "never" // tell the caller; nothing will change by itself
  | "replan" // read again, plan again
  | "later" // with backoff and jitter
  | "at-retry-after" // when the place says; spends no attempt
  | "read-back"; // sent, no answer: look first, then decide

interface Family {
  readonly verdict: RetryVerdict;
  readonly status: number;
  readonly exitCode: number;
}

export const FAMILIES = {
  invalid: { verdict: "never", status: 422, exitCode: 64 },
  unauthenticated: { verdict: "never", status: 401, exitCode: 1 },
  forbidden: { verdict: "never", status: 403, exitCode: 1 },
  "not-found": { verdict: "never", status: 404, exitCode: 1 },
  unsupported: { verdict: "never", status: 422, exitCode: 1 },
  conflict: { verdict: "replan", status: 409, exitCode: 1 },
  unavailable: { verdict: "later", status: 503, exitCode: 1 },
  "rate-limited": { verdict: "at-retry-after", status: 429, exitCode: 1 },
  rejected: { verdict: "never", status: 502, exitCode: 1 },
  "outcome-unknown": { verdict: "read-back", status: 504, exitCode: 4 },
  integrity: { verdict: "never", status: 500, exitCode: 1 },
  invariant: { verdict: "never", status: 500, exitCode: 1 },
} as const satisfies Record<string, Family>;

export type ErrorFamily = keyof typeof FAMILIES;
