/**
 * One request to an issuer over HTTP, on a connection of its own. Tells what never arrived there from what may have: a
 * request that uses something up is made again only in the first case. Foreign texts never pass.
 */
import type { IncomingMessage } from "node:http";
import { type ErrorCode, LockstepError } from "../../core/errors.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { Connect } from "../outgoing/dial.ts";
import { exchange, TooLate } from "../outgoing/exchange.ts";
import { NoAnswer, reasonOf } from "../outgoing/reasons.ts";

const MAX_ANSWER_BYTES = 262_144;
const MAX_RETRY_AFTER_MS = 3_600_000;

export interface IssuerQuestion {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | null;
  readonly timeoutSeconds: number;
  readonly caCertificate?: string | undefined;
}

export interface IssuerAnswer {
  readonly status: number;
  /** As far as it came. */
  readonly body: string;
  readonly retryAfterMs: number | null;
  /** Why the rest of it did not come; null: it is whole. What came may hold what cannot be had again. */
  readonly cut: LockstepError | null;
}

interface Arrived {
  head: IncomingMessage | null;
  readonly chunks: Buffer[];
}

/** Throws ISSUER_UNAVAILABLE when nothing was sent, ISSUER_OUTCOME_UNKNOWN when something was and no answer began. */
export async function askIssuer(
  connect: Connect,
  { url, timeoutSeconds, ...question }: IssuerQuestion,
  signal: AbortSignal,
): Promise<IssuerAnswer> {
  let isSent = false;
  const arrived: Arrived = { head: null, chunks: [] };
  const onSending = () => {
    isSent = true;
  };
  try {
    await withDeadline(signal, timeoutSeconds * 1_000, (limited) =>
      exchange(
        connect,
        { ...question, url: new URL(url), onSending },
        (answer) => readAnswer(answer, arrived),
        limited,
      ),
    );
    return answerOf(arrived, null);
  } catch (error) {
    const why = signal.aborted
      ? "given up"
      : error instanceof TooLate
        ? `no answer within ${timeoutSeconds} s`
        : error instanceof TooLong
          ? `its answer is longer than ${MAX_ANSWER_BYTES / 1_024} KiB`
          : arrived.head !== null
            ? "its answer ended too early"
            : reasonOf(error);
    const failure = issuerError(isSent ? "ISSUER_OUTCOME_UNKNOWN" : "ISSUER_UNAVAILABLE", url, why);
    if (arrived.head === null) throw failure;
    return answerOf(arrived, failure);
  }
}

/** By an answer's status; null for one that brings something. */
export function errorByStatus(
  url: string,
  { status, retryAfterMs, cut }: IssuerAnswer,
): LockstepError | null {
  if (cut !== null) return cut;
  if (status >= 200 && status < 300) return null;
  const why = `it answered ${status}`;
  if (status === 429) return issuerError("ISSUER_LIMITED", url, why, retryAfterMs);
  if (status === 503) return issuerError("ISSUER_UNAVAILABLE", url, why, retryAfterMs);
  if (status >= 500 || status === 408) return issuerError("ISSUER_OUTCOME_UNKNOWN", url, why, retryAfterMs);
  if (status >= 300 && status < 400)
    return issuerError("ISSUER_REFUSED", url, `${why}, and redirects are not followed`);
  return issuerError("ISSUER_REFUSED", url, why);
}

/** Names the issuer by its origin: what stands behind it may be a secret of somebody's. */
export function issuerError(
  code: ErrorCode,
  url: string,
  why: string,
  retryAfterMs: number | null = null,
): LockstepError {
  return new LockstepError(code, `Cannot get a token from ${originOf(url)}: ${why}.`, {
    ...(retryAfterMs === null ? {} : { retryAfterMs }),
  });
}

export function originOf(url: string): string {
  return URL.canParse(url) ? new URL(url).origin : "its issuer";
}

async function readAnswer(answer: IncomingMessage, arrived: Arrived): Promise<void> {
  arrived.head = answer;
  let bytes = 0;
  for await (const chunk of answer) {
    bytes += (chunk as Buffer).length;
    arrived.chunks.push(chunk as Buffer);
    if (bytes > MAX_ANSWER_BYTES) throw new TooLong();
  }
  if (!answer.complete) throw new NoAnswer("its answer ended too early");
}

function answerOf({ head, chunks }: Arrived, cut: LockstepError | null): IssuerAnswer {
  return {
    status: head?.statusCode ?? 0,
    body: Buffer.concat(chunks)
      .toString("utf8")
      .replace(/^\uFEFF/, ""),
    retryAfterMs: retryAfterOf(head?.headers["retry-after"]),
    cut,
  };
}

class TooLong extends Error {}

/** Seconds, or a date (RFC 9110, 10.2.3). */
function retryAfterOf(text: string | undefined): number | null {
  if (text === undefined) return null;
  const ms = /^\d{1,9}$/.test(text) ? Number(text) * 1_000 : Date.parse(text) - Date.now();
  return Number.isFinite(ms) ? Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms)) : null;
}
