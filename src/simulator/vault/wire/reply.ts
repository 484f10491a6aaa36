/** What a handler answers before it becomes HTTP: a reply, nothing, or a refusal. */
import { randomUUID } from "node:crypto";

export type Json = Readonly<Record<string, unknown>>;

export interface Reply {
  readonly data?: Json | undefined;
  readonly auth?: Json | undefined;
  readonly warnings?: readonly string[] | undefined;
  /** Said by the engine itself, with the envelope as the body: 404 for a deleted version. */
  readonly status?: number | undefined;
  /** A status of the engine without any body. */
  readonly bare?: true | undefined;
}

/** A status and texts. No text: `{"errors":[]}`. */
export class Refused extends Error {
  readonly status: number;
  readonly texts: readonly string[];

  constructor(status: number, ...texts: readonly string[]) {
    super(texts[0] ?? `refused with ${status}`);
    this.status = status;
    this.texts = texts;
  }
}

/** Errors that come out of the work itself are wrapped; refusals of a request are not. */
export function wrapped(text: string): string {
  return `1 error occurred:\n\t* ${text}\n\n`;
}

/** Of newer servers. */
export const DEAD_TOKEN = "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n";

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Go's encoder: keys of maps sorted, and `<`, `>`, `&` escaped. */
export function encodeJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** As a Go map is written. Structs keep their order, so this is for what stands in `data`. */
export function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (value === null || typeof value !== "object") return value;
  const entries = Object.entries(value).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return Object.fromEntries(entries.map(([key, one]) => [key, sorted(one)]));
}

export function envelope(reply: Reply): Json {
  return {
    request_id: randomUUID(),
    lease_id: "",
    renewable: false,
    lease_duration: 0,
    data: sorted(reply.data ?? null),
    wrap_info: null,
    warnings: reply.warnings === undefined || reply.warnings.length === 0 ? null : reply.warnings,
    auth: reply.auth ?? null,
  };
}

const JSON_HEADERS = { "content-type": "application/json", "cache-control": "no-store" };

export function jsonAnswer(status: number, body: unknown): HttpAnswer {
  return { status, headers: JSON_HEADERS, body: `${encodeJson(body)}\n` };
}

export function refusal(refused: Refused): HttpAnswer {
  return jsonAnswer(refused.status, { errors: refused.texts });
}

export const NO_CONTENT: HttpAnswer = { status: 204, headers: { "cache-control": "no-store" }, body: "" };
