/** From raw HTTP to what Vault makes of it: an operation on a path with parameters, or an answer of Go's own. */
import type { IncomingHttpHeaders } from "node:http";
import type { Features } from "../modes.ts";
import type { HttpAnswer } from "./reply.ts";
import { Refused } from "./reply.ts";

export type Operation = "read" | "list" | "create" | "update" | "patch" | "delete" | "head";

/** One request as it arrived. */
export interface RawRequest {
  readonly method: string;
  /** As on the wire, query included. */
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly remoteAddress: string;
}

export interface ParsedRequest {
  readonly operation: Operation;
  /** Decoded, without `/v1/`; of a LIST it ends in `/`. */
  readonly path: string;
  readonly data: Readonly<Record<string, unknown>>;
}

const MAX_BODY_BYTES = 32 * 1024 * 1024;
const MERGE_PATCH = "application/merge-patch+json";

/** The decoded path, or null where percent-encoding is broken. */
export function decodedPath(url: string): string | null {
  try {
    return decodeURIComponent(url.split("?", 1)[0] ?? "");
  } catch {
    return null;
  }
}

/** What Go's server does before Vault sees anything: null when it lets the request pass. */
export function answerOfServer(url: string, features: Features): HttpAnswer | null {
  const path = decodedPath(url);
  if (path === null) return plain(400, "400 Bad Request");
  if (/[^\p{L}\p{M}\p{N}\p{P}\p{S} ]/u.test(path)) return plain(400, "");
  const segments = path.split("/");
  if (features.openbao && segments.some((segment) => segment === "." || segment === ".."))
    throw new Refused(400, "relative paths not supported");
  const cleaned = cleanPath(path);
  if (cleaned !== path) {
    const query = url.includes("?") ? url.slice(url.indexOf("?")) : "";
    const location = cleaned.split("/").map(encodeURIComponent).join("/") + query;
    return {
      status: features.cleaningStatus,
      headers: { location, "content-type": "text/html; charset=utf-8" },
      body: `<a href="${location}">Moved Permanently</a>.\n\n`,
    };
  }
  if (!path.startsWith("/v1/")) return plain(404, "404 page not found\n");
  return null;
}

function plain(status: number, body: string): HttpAnswer {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}

/** Go's path.Clean, with the slash at the end kept. */
function cleanPath(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split("/")) {
    if (segment === "" || segment === ".") continue;
    if (segment === "..") kept.pop();
    else kept.push(segment);
  }
  const cleaned = `/${kept.join("/")}`;
  return path.endsWith("/") && cleaned !== "/" ? `${cleaned}/` : cleaned;
}

/** Throws Refused for what Vault refuses before it looks at tokens. */
export function parseRequest(request: RawRequest, features: Features): ParsedRequest {
  const path = (decodedPath(request.url) ?? "").slice("/v1/".length);
  const query = new URLSearchParams(request.url.split("?").slice(1).join("?"));
  const withSlash = path.endsWith("/") ? path : `${path}/`;
  switch (request.method) {
    case "GET": {
      const list = query.get("list");
      if (list === null || list === "") return { operation: "read", path, data: fromQuery(query) };
      if (!/^(?:1|t|true|0|f|false)$/i.test(list)) throw new Refused(400);
      const isList = /^(?:1|t|true)$/i.test(list);
      query.delete("list");
      return { operation: isList ? "list" : "read", path: isList ? withSlash : path, data: fromQuery(query) };
    }
    case "LIST":
      return { operation: "list", path: withSlash, data: fromQuery(query) };
    case "HEAD":
      return { operation: "head", path, data: fromQuery(query) };
    case "DELETE":
      return { operation: "delete", path, data: fromQuery(query) };
    case "POST":
    case "PUT":
      return { operation: "update", path, data: parseBody(request, features) };
    case "PATCH": {
      if (!features.customMetadata) throw new Refused(405);
      const type = (request.headers["content-type"] ?? "").split(";", 1)[0]?.trim() ?? "";
      if (type === "") throw new Refused(400, "mime: no media type");
      if (type !== MERGE_PATCH)
        throw new Refused(415, `PATCH requires Content-Type of ${MERGE_PATCH}, provided ${type}`);
      return { operation: "patch", path, data: parseBody(request, features) };
    }
    default:
      throw new Refused(405);
  }
}

function fromQuery(query: URLSearchParams): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  for (const key of new Set(query.keys())) {
    const values = query.getAll(key);
    data[key] = values.length === 1 ? values[0] : values;
  }
  return data;
}

function parseBody({ body }: RawRequest, features: Features): Record<string, unknown> {
  if (body.length > MAX_BODY_BYTES) throw new Refused(413, "http: request body too large");
  if (body.length === 0) return {};
  let parsed: unknown;
  try {
    parsed = JSON.parse(body.toString("utf8"));
  } catch {
    throw new Refused(400, "failed to parse JSON input: invalid character in JSON");
  }
  if (parsed === null) return {};
  if (typeof parsed !== "object" || Array.isArray(parsed)) {
    throw new Refused(
      400,
      `failed to parse JSON input: json: cannot unmarshal ${Array.isArray(parsed) ? "array" : typeof parsed} into Go value of type map[string]interface {}`,
    );
  }
  const budget = { strings: 0 };
  return wellFormed(parsed, features, budget) as Record<string, unknown>;
}

/** Counts strings, and replaces lone surrogates as Go's decoder does. */
function wellFormed(value: unknown, features: Features, budget: { strings: number }): unknown {
  if (typeof value === "string") return text(value, features, budget);
  if (Array.isArray(value)) return value.map((one) => wellFormed(one, features, budget));
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => [
      text(key, features, budget),
      wellFormed(one, features, budget),
    ]),
  );
}

function text(value: string, features: Features, budget: { strings: number }): string {
  budget.strings += 1;
  if (budget.strings > features.maxJsonStrings)
    throw new Refused(400, "refused JSON input due to high complexity: exceeded maximum number of strings");
  const bytes = Buffer.from(value, "utf8");
  if (bytes.length > features.maxJsonStringBytes)
    throw new Refused(413, "failed to parse JSON input: JSON string value exceeds allowed length");
  return bytes.toString("utf8");
}

/** `X-Vault-Token`, or a bearer's; empty: none. */
export function tokenHeader({ headers }: Pick<RawRequest, "headers">): string {
  const own = headers["x-vault-token"];
  if (typeof own === "string" && own !== "") return own;
  const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? "");
  return bearer?.[1] ?? "";
}

/** Without slashes around it; empty: the root. */
export function namespaceHeader({ headers }: RawRequest): string {
  const given = headers["x-vault-namespace"];
  return typeof given === "string" ? given.replace(/^\/|\/$/g, "").replace(/^root$/, "") : "";
}
