/** Reads answers within bounds, and translates refusals into the catalogue's words: the server's text stays outside. */
import type { IncomingMessage } from "node:http";
import { CATALOGUE } from "../../../core/error-catalogue.ts";
import { type ErrorCode, LockstepError } from "../../../core/errors.ts";
import type { TransportAnswer } from "./transport.ts";

/** What a refusal is called here. The server's own sentence is not repeated: without a pin anybody could write it. */
const REFUSALS: Readonly<Partial<Record<ErrorCode, string>>> = {
  AGENT_REVOKED: "The server says that this agent was revoked.",
  AGENT_CLOCK: "The server refuses the request: the clocks of this machine and the server differ.",
  AGENT_RUNNING: "The server says that another program uses this agent's identity.",
  AGENT_NOT_ENROLLED: "The server does not know this agent.",
  REQUEST_REPLAYED: "The server has seen this request before.",
  ENROLMENT_INVALID: "The server does not accept the enrolment code.",
  ENROLMENT_CONTESTED: "The server says that other keys have used this code before.",
  UNAUTHENTICATED: "The server does not accept this agent's signature.",
  NOT_FOUND: "The server has no such path; is it the agents' listener?",
  INPUT_INVALID: "The server does not understand this agent; one of the two is older.",
  CONTENT_TYPE_NOT_ALLOWED: "The server does not understand this agent; one of the two is older.",
  TOO_MANY_REQUESTS: "The server asks this agent to speak more slowly.",
  BODY_TOO_LARGE: "The server says that the report is too large.",
};
const MAX_PROBLEM_BYTES = 64 * 1024;
const MAX_RETRY_AFTER_MS = 3_600_000;

/** Throws what a status other than 2xx means. */
export async function assertAccepted(answer: TransportAnswer, timeoutMs: number): Promise<void> {
  const { status, headers, stream } = answer;
  if (status >= 200 && status < 300) return;
  const retryAfterMs = retryAfter(headers["retry-after"]);
  const more = retryAfterMs === null ? {} : { retryAfterMs };
  const text = await readText(stream, MAX_PROBLEM_BYTES, timeoutMs).catch(() => "");
  const code = codeOf(text);
  const words = code === null ? undefined : REFUSALS[code];
  if (code !== null && words !== undefined) throw new LockstepError(code, words, more);
  const what =
    status >= 300 && status < 400 ? `a redirect (${status}), which is not followed` : `status ${status}`;
  throw new LockstepError("SERVER_UNREACHABLE", `The server answered with ${what}.`, {
    ...more,
    hint: "It is tried again by itself; services keep what they have meanwhile.",
  });
}

/** Throws SERVER_UNREACHABLE when it is cut off, too large or too slow. */
export function readText(stream: IncomingMessage, maxBytes: number, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (why: string): void => {
      clearTimeout(timer);
      stream.destroy();
      reject(new LockstepError("SERVER_UNREACHABLE", `The server's answer was lost: ${why}.`));
    };
    const timer = setTimeout(() => fail("it came too slowly"), timeoutMs);
    stream.on("data", (chunk: Buffer) => {
      size += chunk.length;
      if (size > maxBytes) fail("it is too large");
      else chunks.push(chunk);
    });
    stream.on("error", () => fail("the line was cut"));
    stream.on("close", () => fail("the line was cut"));
    stream.on("end", () => {
      clearTimeout(timer);
      if (stream.complete) resolve(Buffer.concat(chunks).toString("utf8"));
      else fail("the line was cut");
    });
  });
}

function codeOf(text: string): ErrorCode | null {
  try {
    const body: unknown = JSON.parse(text);
    const code = typeof body === "object" && body !== null && "code" in body ? body.code : null;
    return typeof code === "string" && Object.hasOwn(CATALOGUE, code) ? (code as ErrorCode) : null;
  } catch {
    return null;
  }
}

function retryAfter(header: string | undefined): number | null {
  if (header === undefined || !/^\d{1,7}$/.test(header.trim())) return null;
  return Math.min(Number(header) * 1_000, MAX_RETRY_AFTER_MS);
}
