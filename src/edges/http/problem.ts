/**
 * Errors on their way out: problem documents (RFC 9457) in the catalogue's words. A foreign error's text never leaves:
 * it may hold a value. What is a defect is logged with the place where it happened, without its message.
 */
import { type ErrorCode, LockstepError } from "../../core/errors.ts";
import type { Problem } from "../../protocol/api-parts.ts";

export const PROBLEM_TYPE = "application/problem+json";

/** Where HTTP has a more telling status than the code's family. */
const STATUS: Partial<Readonly<Record<ErrorCode, number>>> = {
  HOST_NOT_ALLOWED: 421,
  CONTENT_TYPE_NOT_ALLOWED: 415,
  BODY_TOO_LARGE: 413,
  REQUEST_MALFORMED: 400,
  REQUEST_TOO_SLOW: 408,
  HEADERS_TOO_LARGE: 431,
  REQUEST_OUTCOME_UNKNOWN: 409,
};

export function toProblem(error: LockstepError): Problem {
  return {
    type: `urn:lockstep:error:${error.code}`,
    title: titleOf(error.code),
    status: STATUS[error.code] ?? error.status,
    detail: error.message,
    code: error.code,
    hint: error.hint,
    details: toJson(error.details),
  };
}

/** Anything that a handler or fastify throws, in the catalogue's words. */
export function translateError(error: unknown): LockstepError {
  if (error instanceof LockstepError) return error;
  switch (codeOf(error)) {
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new LockstepError(
        "CONTENT_TYPE_NOT_ALLOWED",
        "Cannot read the request: its content type is not application/json.",
      );
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new LockstepError("BODY_TOO_LARGE", "Cannot read the request: its body is too large.");
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
    case "FST_ERR_CTP_INVALID_JSON_BODY":
      return new LockstepError("INPUT_INVALID", "Cannot read the request: its body is not valid JSON.");
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
      return new LockstepError(
        "INPUT_INVALID",
        "Cannot read the request: its body's length is not what it says.",
      );
    case "FST_ERR_BAD_URL":
      return new LockstepError("REQUEST_MALFORMED", "Cannot read the request: its address is malformed.");
    case "FST_ERR_MAX_PARAM_LENGTH":
      return new LockstepError(
        "REQUEST_MALFORMED",
        "Cannot read the request: a part of its path is too long to name anything.",
      );
    default:
      return new LockstepError("INTERNAL", "An unexpected failure inside Lockstep.");
  }
}

/** Where it happened, without the message. */
export function stackOf(error: unknown): readonly string[] {
  if (!(error instanceof Error)) return [];
  return (error.stack ?? "")
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line.startsWith("at "));
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null && "code" in error ? error.code : undefined;
}

function titleOf(code: ErrorCode): string {
  const words = code.toLowerCase().replaceAll("_", " ");
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

function toJson(details: Readonly<Record<string, unknown>>): Problem["details"] {
  return JSON.parse(JSON.stringify(details)) as Problem["details"];
}
