/**
 * Postgres's and the socket's errors in the catalogue's words. Only the SQLSTATE or the system's error code crosses:
 * messages and details of Postgres quote the statement and the row.
 */
import { type ErrorCode, LockstepError } from "../../core/errors.ts";
import { isCertificateError, lineErrorText } from "../../lib/line-errors.ts";

/** Worth the same transaction again at once: serialization_failure, deadlock_detected. */
const RETRYABLE = new Set(["40001", "40P01"]);

const CUT = new Set(["57P01", "57P02", "57P05", "ECONNRESET", "EPIPE"]);

/** What an operator can act on has a code and a remedy of its own. */
const TOLD_APART: Readonly<Record<string, readonly [code: ErrorCode, state: string]>> = {
  "53100": ["STORE_FULL", "the disk of Postgres is full"],
  "25006": ["STORE_READ_ONLY", "Postgres takes no writes"],
  "57014": ["STORE_TIMEOUT", "Postgres ended a statement that took too long"],
  "55P03": ["STORE_TIMEOUT", "Postgres waited too long for a lock"],
  "53300": ["STORE_BUSY", "Postgres has no connection left for us"],
  "53200": ["STORE_BUSY", "Postgres is out of memory"],
  "57P03": ["STORE_STARTING", "Postgres starts, recovers from a crash or shuts down"],
};

/** Classes and single codes in which Postgres says "not now": the connection, its resources, an operator's act. */
const UNAVAILABLE_CLASSES = new Set(["08", "53", "57", "58"]);
/** Idle and transaction timeouts, and exhausted retries. */
const UNAVAILABLE_CODES = new Set(["25P03", "25P04", ...RETRYABLE]);
/** Postgres answers, and does not let us in. */
const REFUSED_CODES = new Set(["28000", "28P01", "3D000", "42501"]);

/** Raised by our own trigger: a text under another root key than the store's. See the migration that made it. */
const OTHER_ROOT_KEY = "LK001";

/** Of PgBouncer and its kind, which name the parameter; those of ours are repeated. */
const STARTUP_PARAMETER = /^unsupported startup parameter(?: in options)?: ([a-z_]{1,40})$/;
const OUR_PARAMETERS = new Set([
  "options",
  "search_path",
  "statement_timeout",
  "idle_in_transaction_session_timeout",
]);

/** Raised by pg, pg-pool and Kysely themselves, without any code; compared, never copied. */
const CONNECTION_LOST = /^(Connection terminated|Client (has encountered a connection error|was closed))/;
const NO_CONNECTION =
  /^(timeout exceeded when trying to connect|Cannot use a pool after calling end|Query read timeout|driver has already been destroyed)/;

const NO_TLS = "The server does not support SSL connections";
const CERTIFICATE_REMEDY =
  "Name the authority's certificate with sslrootcert= in DATABASE_URL, and the host as the certificate does.";

export function isRetryable(error: unknown): boolean {
  return RETRYABLE.has(codeOf(error));
}

/**
 * The connection ended under the statement: cut by Postgres or an operator (57P0x), or gone with the socket. Says
 * nothing about whether the statement had an effect.
 */
export function isConnectionLost(error: unknown): boolean {
  const code = codeOf(error);
  if (code === "") return error instanceof Error && CONNECTION_LOST.test(error.message);
  return CUT.has(code);
}

/** `action` completes "Cannot …". */
export function toStoreError(error: unknown, action = "use the store"): LockstepError {
  if (error instanceof LockstepError) return error;
  const code = codeOf(error);
  const make = (catalogued: ErrorCode, state: string, hint?: string): LockstepError =>
    new LockstepError(catalogued, `Cannot ${action}: ${state}.`, {
      ...(code === "" ? {} : { details: { code } }),
      ...(hint === undefined ? {} : { hint }),
    });

  if (code === OTHER_ROOT_KEY) {
    return make("ROOT_KEY_CHANGED", "the store is sealed under another root key, and nothing was written");
  }
  const parameter = error instanceof Error ? STARTUP_PARAMETER.exec(error.message)?.[1] : undefined;
  if (parameter !== undefined) {
    const named = OUR_PARAMETERS.has(parameter) ? ` ${parameter}` : "";
    return make("STORE_POOLER", `a connection pooler answered, and refused the startup parameter${named}`);
  }
  if (REFUSED_CODES.has(code)) {
    return make(
      "STORE_UNAVAILABLE",
      `Postgres refused the connection's user (${code})`,
      "Check user, password, database and rights in DATABASE_URL.",
    );
  }
  const told = TOLD_APART[code];
  if (told !== undefined) return make(told[0], `${told[1]} (${code})`);
  if (UNAVAILABLE_CODES.has(code)) return make("STORE_UNAVAILABLE", `Postgres is busy (${code})`);
  if (isSqlState(code)) {
    if (UNAVAILABLE_CLASSES.has(code.slice(0, 2))) {
      return make("STORE_UNAVAILABLE", `Postgres is not available (${code})`);
    }
    return make("INTERNAL", `Postgres refused a statement (${code})`);
  }
  const line = lineErrorText(code);
  if (isCertificateError(code)) {
    return make("STORE_UNAVAILABLE", `Postgres was not reached: ${line} (${code})`, CERTIFICATE_REMEDY);
  }
  if (code !== "")
    return make("STORE_UNAVAILABLE", `Postgres was not reached${line === null ? "" : `: ${line}`} (${code})`);
  if (isConnectionLost(error)) return make("STORE_UNAVAILABLE", "the connection to Postgres was lost");
  if (error instanceof Error && error.message === NO_TLS) {
    return make(
      "STORE_UNAVAILABLE",
      "Postgres speaks no TLS",
      "Switch TLS on in Postgres, or use sslmode=disable in DATABASE_URL on a network of your own.",
    );
  }
  if (error instanceof Error && NO_CONNECTION.test(error.message)) {
    return make("STORE_UNAVAILABLE", "there is no connection to Postgres");
  }
  return make("INTERNAL", "an unexpected failure");
}

/** SQLSTATE, or the system's code (ECONNREFUSED, …); empty when there is none. */
export function codeOf(error: unknown): string {
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  const { code } = error;
  return typeof code === "string" && /^[A-Z0-9_]{2,40}$/.test(code) ? code : "";
}

function isSqlState(code: string): boolean {
  return /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code);
}
