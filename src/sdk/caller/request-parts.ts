/** Questions about a request and its answer, apart from any secret. */
import { CallerError } from "./caller-error.ts";

export type Input = string | URL | Request;

/** Throws CALLER_OPTIONS unless every origin is scheme, host and port alone, over HTTP. */
export function originsOf(written: readonly string[]): ReadonlySet<string> {
  if (written.length === 0) throw new CallerError("CALLER_OPTIONS", "a caller needs at least one origin");
  return new Set(written.map(originOf));
}

function originOf(written: string): string {
  const url = URL.canParse(written) ? new URL(written) : null;
  if (url === null || !/^https?:$/.test(url.protocol) || url.href !== `${url.origin}/`) {
    throw new CallerError(
      "CALLER_OPTIONS",
      "an origin is written like https://api.example.com, without a path",
    );
  }
  return url.origin;
}

/** Throws CALLER_ORIGIN for anything but an absolute URL with one of these origins. */
export function allowedUrl(input: Input, origins: ReadonlySet<string>): URL {
  const written = input instanceof Request ? input.url : String(input);
  if (!URL.canParse(written)) throw new CallerError("CALLER_ORIGIN", "the request has no absolute URL");
  const url = new URL(written);
  // The origin alone: paths and queries hold other people's secrets.
  if (!origins.has(url.origin)) {
    throw new CallerError(
      "CALLER_ORIGIN",
      `the secret is not sent to ${url.origin}: it is not among the origins`,
    );
  }
  return url;
}

/** Whether the same body can be sent a second time. A stream cannot; a Request's own body is one. */
export function isReplayable(input: Input, body: unknown): boolean {
  if (body === undefined || body === null) return !(input instanceof Request) || input.body === null;
  return (
    typeof body === "string" ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body) ||
    body instanceof URLSearchParams ||
    body instanceof FormData ||
    body instanceof Blob
  );
}

/**
 * Where an answer leads that may be followed with the secret: a redirect of a request without a body, to the very same
 * origin. `null` for everything else.
 */
export function redirectWithin(url: URL, method: string, response: Response): URL | null {
  if (![301, 302, 303, 307, 308].includes(response.status) || !/^(?:GET|HEAD)$/i.test(method)) return null;
  const location = response.headers.get("location");
  if (location === null || !URL.canParse(location, url.href)) return null;
  const next = new URL(location, url);
  return next.origin === url.origin ? next : null;
}

/** Frees the connection of an answer that nobody will read. */
export async function discard(response: Response): Promise<void> {
  // A body that broke off meanwhile is as good as discarded.
  await response.body?.cancel().catch(() => undefined);
}
