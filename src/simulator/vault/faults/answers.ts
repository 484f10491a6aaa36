/** The answers of faults, in the servers' own words. */
import { UPGRADING, WAITING_FOR_PRIMARY } from "../engines/kv2-store.ts";
import { type HttpAnswer, jsonAnswer, wrapped } from "../wire/reply.ts";
import type { Fault } from "./fault.ts";

export interface AnswerNeeds {
  /** As on the wire. */
  readonly url: string;
  readonly path: string;
  /** Origin of the other node. */
  readonly elsewhere: string;
  readonly deadTokenText: string;
}

const errors = (status: number, ...texts: readonly string[]) => jsonAnswer(status, { errors: texts });
const page = (status: number, body: string, type = "text/html"): HttpAnswer => ({
  status,
  headers: { "content-type": type },
  body,
});

const NO_ACTIVE = {
  "no-active": [503, "no active Vault instance found"],
  "not-active": [503, "node is not active"],
  "not-found": [500, "local node not active but active cluster node not found"],
} as const;

/** Null: the fault lets the true answer stand. */
export function answerOf(
  fault: Fault,
  { url, path, elsewhere, deadTokenText }: AnswerNeeds,
): HttpAnswer | null {
  switch (fault.kind) {
    case "answer":
      return {
        status: fault.status,
        headers: { "content-type": "application/json", ...fault.headers },
        body:
          typeof fault.body === "string"
            ? fault.body
            : fault.body === undefined
              ? ""
              : JSON.stringify(fault.body),
      };
    case "sealed":
      return errors(503, "Vault is sealed");
    case "namespace-sealed":
      return errors(503, "namespace is sealed");
    case "api-locked":
      return errors(
        503,
        'API access to this namespace has been locked by an administrator - "double" must be unlocked to gain access.',
      );
    case "standby-redirect":
      return { status: 307, headers: { location: elsewhere + url }, body: "" };
    case "redirect":
      return { status: fault.status ?? 307, headers: { location: fault.to }, body: "" };
    case "no-active-node": {
      const [status, text] = NO_ACTIVE[fault.form ?? "no-active"];
      return errors(status, text);
    }
    case "rate-limited":
    case "lease-quota": {
      const text =
        fault.kind === "rate-limited"
          ? `request path "${path}": rate limit quota exceeded`
          : `request path "${path}": lease count quota exceeded`;
      const { retryAfterSeconds } = fault;
      const answer = errors(429, text);
      if (retryAfterSeconds === undefined) return answer;
      return { ...answer, headers: { ...answer.headers, "retry-after": String(retryAfterSeconds) } };
    }
    case "audit-blocked":
      return errors(500, fault.executed ? "internal error" : wrapped("internal error"));
    case "storage-error":
      return errors(500, wrapped("failed to persist entry: connection refused"));
    case "storage-full":
      return errors(500, wrapped("put failed: no space left on device"));
    case "bad-gateway":
      return page(502, "<html><body><h1>502 Bad Gateway</h1></body></html>\n");
    case "html":
      return page(200, "<!doctype html><title>Sign in</title>\n");
    case "not-json":
      return page(200, '{"request_id": "cut', "application/json");
    case "wrong-shape":
      return jsonAnswer(200, { request_id: "", data: { keys: "not a list", version: "one" }, errors: null });
    case "upgrading":
      return errors(400, fault.form === "waiting" ? WAITING_FOR_PRIMARY : UPGRADING);
    case "behind-index":
      return errors(412, "required index state not present");
    case "token-unknown":
      return fault.form === "check-failed"
        ? errors(400, "error performing token check: failed to look up token")
        : errors(403, deadTokenText);
    case "policy-denied":
      return errors(403, wrapped("permission denied"));
    case "warnings":
    case "cut":
    case "held":
      return null;
  }
}

/** Whether the work is done all the same. */
export function isExecuted(fault: Fault): boolean {
  if (fault.kind === "warnings" || fault.kind === "held") return true;
  return "executed" in fault && fault.executed === true;
}

/** The true answer with warnings in it; 204 becomes 200. */
export function withWarnings(answer: HttpAnswer, warnings: readonly string[]): HttpAnswer {
  if (answer.status === 204)
    return jsonAnswer(200, {
      request_id: "00000000-0000-0000-0000-000000000000",
      lease_id: "",
      renewable: false,
      lease_duration: 0,
      data: null,
      wrap_info: null,
      warnings,
      auth: null,
    });
  if (answer.status !== 200) return answer;
  return jsonAnswer(200, { ...(JSON.parse(answer.body) as object), warnings });
}
