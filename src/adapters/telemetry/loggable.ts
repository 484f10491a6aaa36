/**
 * What of a log entry's fields may be written: ids, names, numbers. Bytes, foreign errors and fields that are named
 * like credentials are replaced by a word, before anything turns them into text in which nobody would find them.
 */
import { LockstepError } from "../../core/errors.ts";
import { SecretValue } from "../../core/secret-value.ts";

const MAX_DEPTH = 6;
const MAX_ITEMS = 200;
const TELLING = /^(?:password|passphrase|private_?key|authorization|cookie|set-cookie|value|plain)$/i;
/** Codes like ECONNREFUSED are constants of their library; anything else could hold data. */
const CODE = /^[A-Z][A-Z0-9_]{1,40}$/;

export function loggable(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return entries(fields, 0);
}

function entries(fields: object, depth: number): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields)
      .slice(0, MAX_ITEMS)
      .map(([key, value]) => [key, TELLING.test(key) ? "[redacted]" : clean(value, depth + 1)]),
  );
}

function clean(value: unknown, depth: number): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "function" || typeof value === "symbol") return "[omitted]";
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof SecretValue) return value.toString();
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString();
  if (value instanceof Error) return cleanError(value);
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return "[bytes]";
  if (depth >= MAX_DEPTH) return "[omitted]";
  if (Array.isArray(value)) return value.slice(0, MAX_ITEMS).map((item) => clean(item, depth + 1));
  if (value instanceof Set) return clean([...value], depth);
  if (value instanceof Map) return clean(Object.fromEntries(value), depth);
  return entries(value, depth);
}

/** Our own errors are made to be shown. A foreign one's message and stack may quote anything. */
function cleanError(error: Error): Record<string, unknown> {
  if (error instanceof LockstepError) {
    return { code: error.code, message: error.message, details: entries(error.details, MAX_DEPTH - 2) };
  }
  const code = "code" in error && typeof error.code === "string" && CODE.test(error.code) ? error.code : null;
  return { code: code ?? "FOREIGN" };
}
