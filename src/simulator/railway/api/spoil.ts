/**
 * What the client gets to see of a fault. `execute` does the request's work when, and if, the fault lets it; a late
 * execution goes on after the answer.
 */

import type { RequestFault } from "../faults/fault.ts";
import type { FaultBoard } from "../faults/fault-board.ts";
import type { OpenRecord } from "../request-log.ts";
import { type Effects, NO_EFFECTS } from "./context.ts";
import { type Answer, errorAnswer } from "./executor.ts";

/** null: the connection is dropped. */
export type Outcome = Answer | null;

export interface SpoiledRequest {
  readonly id: string;
  readonly fault: RequestFault;
  readonly record: OpenRecord;
  readonly board: FaultBoard;
  readonly execute: (effects: Effects) => Promise<Answer>;
}

const HTML = { "content-type": "text/html; charset=UTF-8", server: "edge" };

export async function spoil(request: SpoiledRequest): Promise<Outcome> {
  const { id, fault, record, board, execute } = request;
  const hold = (ms: number | undefined) => board.hold(id, `request ${record.seq}`, ms);
  switch (fault.kind) {
    case "rate-limited":
      return tooMany(fault.retryAfterSeconds, fault.body ?? "json");
    case "graphql-rate-limited":
      return errorAnswer(
        fault.message ?? "You are being rate limited, please try again in 30 seconds",
        "INTERNAL_SERVER_ERROR",
      );
    case "gateway-timeout":
      if (fault.applied === "yes") await execute(NO_EFFECTS);
      if (fault.applied === "late") landLater(request, hold(fault.lateMs));
      if (fault.afterMs !== undefined) await hold(fault.afterMs);
      return { status: 504, headers: HTML, body: page("504 Gateway Time-out") };
    case "slow": {
      if (fault.hold === "request") {
        record.executed = "held";
        await hold(fault.holdMs);
        return execute(NO_EFFECTS);
      }
      const answer = await execute(NO_EFFECTS);
      await hold(fault.holdMs);
      return answer;
    }
    case "html-page":
      return { status: fault.status, headers: HTML, body: page("Access denied") };
    case "http-error":
      if (fault.applied === true) await execute(NO_EFFECTS);
      return { status: fault.status, headers: { "content-type": "text/plain" }, body: "" };
    case "graphql-error":
      if (fault.applied === true) await execute(NO_EFFECTS);
      return errorAnswer(fault.message, fault.code ?? "INTERNAL_SERVER_ERROR");
    case "partial-data":
      return withHoles(await execute(NO_EFFECTS), fault.paths, fault.message ?? "Problem processing request");
    case "dropped-connection":
      if (fault.applied === true) await execute(NO_EFFECTS);
      if (fault.applied === "late") landLater(request, hold(fault.lateMs));
      return null;
    case "stale-read":
      return execute({ ...NO_EFFECTS, writesBehind: fault.writesBehind ?? 1 });
    case "ignored-write":
      return execute({ ...NO_EFFECTS, ignoreWrites: true });
  }
}

/** Whoever asked has heard nothing, or a page of the edge; the request is carried out all the same. */
function landLater({ record, execute }: SpoiledRequest, held: Promise<void>): void {
  record.executed = "held";
  void held.then(async () => {
    await execute(NO_EFFECTS);
    record.executed = "late";
  });
}

export function tooMany(
  retryAfterSeconds: number | undefined,
  body: "json" | "html" | "empty",
  headers: Readonly<Record<string, string>> = {},
): Answer {
  const retry = retryAfterSeconds === undefined ? {} : { "Retry-After": String(retryAfterSeconds) };
  if (body === "html") {
    return { status: 429, headers: { ...HTML, ...headers, ...retry }, body: page("Too Many Requests") };
  }
  if (body === "empty") return { status: 429, headers: { ...headers, ...retry }, body: "" };
  const answer = errorAnswer("Too many requests, rate limit exceeded", "RATE_LIMITED", null, 429);
  return { ...answer, headers: { ...answer.headers, ...headers, ...retry } };
}

function withHoles(answer: Answer, paths: readonly string[] | undefined, message: string): Answer {
  const result: unknown = JSON.parse(answer.body);
  if (!isRecord(result) || !isRecord(result["data"])) return answer;
  const { data } = result;
  const holes = paths ?? Object.keys(data).slice(-1);
  for (const path of holes) punch(data, path.split("."));
  const errors = holes.map((path) => ({
    message,
    path: path.split(".").map((step) => (/^\d+$/.test(step) ? Number(step) : step)),
    extensions: { code: "INTERNAL_SERVER_ERROR" },
  }));
  return { ...answer, body: JSON.stringify({ ...result, errors }) };
}

function punch(data: Record<string, unknown>, path: readonly string[]): void {
  let at: Record<string, unknown> = data;
  for (const step of path.slice(0, -1)) {
    const next = at[step];
    if (!isRecord(next)) return;
    at = next;
  }
  const last = path.at(-1);
  if (last !== undefined && last in at) at[last] = null;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function page(title: string): string {
  return `<!DOCTYPE html><html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>\n`;
}
