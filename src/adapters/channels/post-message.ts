/** One message over HTTP, on a connection of its own; of the answer only the status is kept. */
import type { IncomingMessage } from "node:http";
import { LockstepError } from "../../core/errors.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { Connect } from "../outgoing/dial.ts";
import { exchange, TooLate } from "../outgoing/exchange.ts";
import { reasonOf } from "../outgoing/reasons.ts";

const WITHIN_MS = 15_000;
const MAX_RETRY_AFTER_MS = 3_600_000;

export interface Posting {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly caCertificate?: string | undefined;
}

/** `at`: the channel's address as people may read it. */
export async function postMessage(
  connect: Connect,
  at: string,
  { url, headers, body, caCertificate }: Posting,
  signal: AbortSignal,
): Promise<void> {
  let answer: { readonly status: number; readonly retryAfterMs: number | undefined };
  try {
    const question = {
      url: new URL(url),
      method: "POST",
      headers: { "Content-Type": "application/json", "User-Agent": "lockstep", ...headers },
      body: Buffer.from(body),
      caCertificate,
    };
    answer = await withDeadline(signal, WITHIN_MS, (limited) => exchange(connect, question, told, limited));
  } catch (error) {
    const why = error instanceof TooLate ? `no answer within ${WITHIN_MS / 1_000} s` : reasonOf(error);
    throw new LockstepError("CHANNEL_UNAVAILABLE", `Cannot reach ${at}: ${why}.`);
  }
  const { status, retryAfterMs } = answer;
  if (status >= 200 && status < 300) return;
  const mayBeBetter = status === 429 || status === 408 || status >= 500;
  throw new LockstepError(
    mayBeBetter ? "CHANNEL_UNAVAILABLE" : "CHANNEL_REFUSED",
    `${at} answered ${status}.`,
    retryAfterMs === undefined ? {} : { retryAfterMs },
  );
}

function told({ statusCode, headers }: IncomingMessage) {
  const seconds = Number(headers["retry-after"]);
  const retryAfterMs =
    Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds * 1_000, MAX_RETRY_AFTER_MS) : undefined;
  return { status: statusCode ?? 0, retryAfterMs };
}
