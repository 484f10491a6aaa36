/**
 * The verifier in front of a web framework. Frameworks are known by the shape of their requests, not imported.
 *
 * A request without the header, with two of them, or with a wrong value gets the same answer, and an empty body. On
 * an accepted one `lockstep` holds the slot and who called: on the request, in Hono in the context.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { callerName } from "./use-ledger.ts";
import type { Use, Verifier } from "./verifier.ts";

export interface MiddlewareOptions<Request> {
  /** Default `x-internal-secret`. With `authorization`, `Bearer ` stands before the value. */
  readonly header?: string;
  /** Where callers say who they are, for the use counts. Default `x-lockstep-caller`. */
  readonly callerHeader?: string;
  /** Who calls, where the service knows better. Wins over the header. */
  readonly caller?: (request: Request) => string | undefined;
  /** Of the refusal. Default 401: the status on which `lockstep/caller` tries its other slot. */
  readonly status?: 401 | 403;
}

/** What the middleware leaves on an accepted request. */
export interface Verified {
  lockstep?: Use;
}

/** For Express, and anything that calls `(request, response, next)` with Node's own two. */
export function expressVerifier(
  verifier: Verifier,
  options: MiddlewareOptions<IncomingMessage> = {},
): (request: IncomingMessage, response: ServerResponse, next: () => void) => void {
  const judge = judgeOf(verifier, options);
  return (request, response, next) => {
    const use = judge(request, (name) => rawValues(request.rawHeaders, name));
    if (use === null) {
      response.writeHead(statusOf(options), { ...refusalHeaders(options), "content-length": "0" }).end();
      return;
    }
    (request as Verified).lockstep = use;
    next();
  };
}

export interface FastifyRequestLike {
  readonly raw: { readonly rawHeaders: readonly string[] };
}

export interface FastifyReplyLike {
  code(status: 401 | 403): unknown;
  headers(values: Record<string, string>): unknown;
  send(body?: string): unknown;
}

/** A hook: `onRequest` refuses before the body is read, `preHandler` works as well. */
export function fastifyVerifier(
  verifier: Verifier,
  options: MiddlewareOptions<FastifyRequestLike> = {},
): (request: FastifyRequestLike, reply: FastifyReplyLike) => Promise<unknown> {
  const judge = judgeOf(verifier, options);
  return async (request, reply) => {
    const use = judge(request, (name) => rawValues(request.raw.rawHeaders, name));
    if (use !== null) {
      (request as Verified).lockstep = use;
      return undefined;
    }
    reply.code(statusOf(options));
    reply.headers(refusalHeaders(options));
    reply.send();
    return reply;
  };
}

export interface HonoContextLike {
  readonly req: { readonly raw: Request };
  set(key: "lockstep", value: Use): void;
}

/** For Hono, and anything with web-standard requests. Read it with `context.get("lockstep")`. */
export function honoVerifier(
  verifier: Verifier,
  options: MiddlewareOptions<Request> = {},
): (context: HonoContextLike, next: () => Promise<void>) => Promise<Response | undefined> {
  const judge = judgeOf(verifier, options);
  return async (context, next) => {
    const { raw } = context.req;
    // Two headers arrive here as one, joined by a comma, which no value equals.
    const use = judge(raw, (name) => [raw.headers.get(name)].filter((value) => value !== null));
    if (use === null) {
      return new Response(null, { status: statusOf(options), headers: refusalHeaders(options) });
    }
    context.set("lockstep", use);
    await next();
    return undefined;
  };
}

type ValuesOf = (header: string) => readonly string[];

function judgeOf<Request>(
  verifier: Verifier,
  { header = "x-internal-secret", callerHeader = "x-lockstep-caller", caller }: MiddlewareOptions<Request>,
): (request: Request, valuesOf: ValuesOf) => Use | null {
  return (request, valuesOf) => {
    const who = caller?.(request) ?? valuesOf(callerHeader).join(" ");
    const named = who === "" ? undefined : who;
    const verdict = verifier.verify(valueIn(header, valuesOf(header)), { caller: named });
    return verdict.accepted ? { slot: verdict.slot, caller: callerName(named) } : null;
  };
}

/** Two headers are refused: which one counts, proxies and frameworks see differently. */
function valueIn(header: string, values: readonly string[]): string | undefined {
  const [value, ...more] = values;
  if (value === undefined || more.length > 0) return undefined;
  return isAuthorization(header) ? /^Bearer +(.*)$/i.exec(value)?.[1] : value;
}

/** From the raw list: of two `authorization` headers Node's own record silently drops one. */
function rawValues(rawHeaders: readonly string[], name: string): readonly string[] {
  const wanted = name.toLowerCase();
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === wanted);
}

function statusOf({ status = 401 }: { readonly status?: 401 | 403 }): 401 | 403 {
  return status;
}

function refusalHeaders({ header = "" }: { readonly header?: string }): Record<string, string> {
  return {
    "cache-control": "no-store",
    ...(isAuthorization(header) ? { "www-authenticate": "Bearer" } : {}),
  };
}

function isAuthorization(header: string): boolean {
  return header.toLowerCase() === "authorization";
}
