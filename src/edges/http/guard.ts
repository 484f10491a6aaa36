/**
 * What every request must pass before anything else looks at it.
 *
 * Attacker: a page in the operator's browser. It can make the browser send requests here, also under a name of its
 * own that it lets resolve to 127.0.0.1. Defence: the Host header must be one of ours, an Origin must be our own,
 * writes carry JSON (which a form cannot send), and no answer carries a CORS header. Tokens travel in a header that
 * no browser adds by itself; there are no cookies.
 */
import type { FastifyRequest } from "fastify";
import { LockstepError } from "../../core/errors.ts";

const LOOPBACK_NAMES = ["localhost", "127.0.0.1", "[::1]"];

/** Say nothing about the store, and are asked by machines that call us by address. */
const OPEN_TO_ANY_NAME = new Set(["/healthz", "/healthz/", "/readyz", "/readyz/"]);

export interface HostRules {
  /** From LOCKSTEP_ALLOWED_HOSTS: with a port it must match, without any port is fine. */
  readonly allowedHosts: readonly string[];
  /** The port that we listen on. */
  readonly port: () => number;
}

export function assertHost(request: FastifyRequest, rules: HostRules): void {
  if (OPEN_TO_ANY_NAME.has(request.routeOptions.url ?? "")) return;
  const host = request.headers.host?.toLowerCase() ?? "";
  if (isOurs(host, rules)) return;
  throw new LockstepError("HOST_NOT_ALLOWED", "Cannot answer: the request is addressed to another host.");
}

export function assertOrigin(request: FastifyRequest, rules: HostRules): void {
  const { origin } = request.headers;
  if (origin === undefined && request.headers["sec-fetch-site"] !== "cross-site") return;
  const parsed = origin !== undefined && URL.canParse(origin) ? new URL(origin) : null;
  const same =
    parsed !== null &&
    parsed.host === request.headers.host?.toLowerCase().replace(/:(?:80|443)$/, "") &&
    isOurs(request.headers.host.toLowerCase(), rules);
  if (same) return;
  throw new LockstepError("ORIGIN_NOT_ALLOWED", "Cannot answer: the request comes from another page.");
}

/** Also for writes without a body: a content type other than JSON is what a form would send. */
export function assertJsonWrite(request: FastifyRequest): void {
  if (request.method === "GET" || request.method === "HEAD") return;
  const type = request.headers["content-type"]?.split(";")[0]?.trim().toLowerCase();
  if (type === "application/json") return;
  throw new LockstepError(
    "CONTENT_TYPE_NOT_ALLOWED",
    "Cannot read the request: its content type is not application/json.",
  );
}

function isOurs(host: string, { allowedHosts, port }: HostRules): boolean {
  const name = host.replace(/:\d+$/, "");
  if (LOOPBACK_NAMES.includes(name)) return host === name || host === `${name}:${port()}`;
  return allowedHosts.some((allowed) => allowed === host || (!/:\d+$/.test(allowed) && allowed === name));
}
