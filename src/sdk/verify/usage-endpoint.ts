/**
 * Serves the use counts over HTTP, to the holder of a token alone. Values are not in there; who calls and how often
 * is, and with a nonce whether a guess at a value is right, so the token is a secret too.
 */
import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Verifier } from "./verifier.ts";

const MAX_BODY_BYTES = 1024;
const MIN_TOKEN_LENGTH = 16;

export interface UsageEndpointOptions {
  /** At least 16 characters: `openssl rand -base64 32`. */
  readonly token: string;
}

/**
 * A handler for node:http and Express: `GET`, with `?nonce=` or without, or `POST` with `{"nonce": "…"}`. Answers
 * 200 with a UsageReport; 401 without the token, 400 for another nonce, 405, 413. Throws a TypeError for a token that
 * is too short.
 */
export function usageEndpoint(
  verifier: Verifier,
  { token }: UsageEndpointOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  if (token.length < MIN_TOKEN_LENGTH) throw new TypeError("the token has fewer than 16 characters");
  const expected = digestOf(token);
  return (request, response) => {
    answerOf(verifier, request, expected).then(
      (answer) => reply(response, answer),
      // The request broke off: nobody is there to be told.
      () => response.destroy(),
    );
  };
}

interface Answer {
  readonly status: 200 | 400 | 401 | 405 | 413;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

async function answerOf(verifier: Verifier, request: IncomingMessage, expected: Buffer): Promise<Answer> {
  const presented = /^Bearer +(.*)$/i.exec(request.headers.authorization ?? "")?.[1] ?? "";
  if (!timingSafeEqual(digestOf(presented), expected)) {
    return { status: 401, body: {}, headers: { "www-authenticate": "Bearer" } };
  }
  if (request.method !== "GET" && request.method !== "POST") {
    return { status: 405, body: {}, headers: { allow: "GET, POST" } };
  }
  const asked = request.method === "GET" ? queryNonce(request.url ?? "") : await bodyNonce(request);
  if (asked === "too large") return { status: 413, body: {}, headers: { connection: "close" } };
  if (asked === "malformed") return { status: 400, body: {} };
  try {
    return { status: 200, body: verifier.usage(asked) };
  } catch {
    return { status: 400, body: {} };
  }
}

interface Asked {
  readonly nonce?: string;
}

/** Of the text, because not everything that Node takes for a request's target is a URL. */
function queryNonce(target: string): Asked {
  const nonce = new URLSearchParams(target.split("?", 2)[1]).get("nonce");
  return nonce === null ? {} : { nonce };
}

async function bodyNonce(request: IncomingMessage): Promise<Asked | "malformed" | "too large"> {
  // Express's body parser has read the stream already.
  const parsed = (request as { body?: unknown }).body;
  if (parsed !== undefined) return nonceIn(parsed);
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_BODY_BYTES) return "too large";
    chunks.push(chunk as Buffer);
  }
  if (bytes === 0) return {};
  try {
    return nonceIn(JSON.parse(Buffer.concat(chunks).toString("utf8")));
  } catch {
    return "malformed";
  }
}

function nonceIn(body: unknown): Asked | "malformed" {
  if (typeof body !== "object" || body === null) return "malformed";
  const { nonce } = body as { readonly nonce?: unknown };
  if (nonce === undefined) return {};
  return typeof nonce === "string" ? { nonce } : "malformed";
}

function reply(response: ServerResponse, { status, body, headers }: Answer): void {
  response
    .writeHead(status, {
      "content-type": "application/json",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...headers,
    })
    .end(JSON.stringify(body));
}

function digestOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
