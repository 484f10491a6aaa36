/** One message over HTTP, on a connection of its own; of the answer's text nothing is repeated. */
import type { IncomingMessage } from "node:http";
import { LockstepError } from "../../core/errors.ts";
import { withDeadline } from "../../lib/with-deadline.ts";
import type { Connect } from "../outgoing/dial.ts";
import { exchange, TooLate } from "../outgoing/exchange.ts";
import { reasonOf } from "../outgoing/reasons.ts";
import { retryAfterMsOf } from "./retry-after.ts";

const WITHIN_MS = 15_000;
const MAX_BODY_BYTES = 4_096;

export interface Posting {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly caCertificate?: string | undefined;
  /** Whether the text of a good answer says that it arrived; null: it does. Without it any text does. */
  readonly whyNot?: ((text: string) => Undelivered | null) | undefined;
  /** How a person replaces an address that is gone. */
  readonly replace: string;
}

export interface Undelivered {
  readonly why: string;
  /** A person must act; otherwise it is tried again. */
  readonly isRefused: boolean;
}

interface Told {
  readonly status: number;
  readonly retryAfterMs: number | undefined;
  readonly location: string;
  readonly text: string;
}

/** `at`: the channel's address as people may read it. Throws CHANNEL_REFUSED or CHANNEL_UNAVAILABLE. */
export async function postMessage(
  connect: Connect,
  at: string,
  posting: Posting,
  signal: AbortSignal,
): Promise<void> {
  const { url, headers, body, caCertificate, whyNot } = posting;
  let answer: Told;
  try {
    const question = {
      url: new URL(url),
      method: "POST",
      headers: { "Content-Type": "application/json", "User-Agent": "lockstep", ...headers },
      body: Buffer.from(body),
      caCertificate,
    };
    const read = (message: IncomingMessage) => told(message, whyNot !== undefined);
    answer = await withDeadline(signal, WITHIN_MS, (limited) => exchange(connect, question, read, limited));
  } catch (error) {
    const why = error instanceof TooLate ? `no answer within ${WITHIN_MS / 1_000} s` : reasonOf(error);
    throw new LockstepError("CHANNEL_UNAVAILABLE", `Cannot reach ${at}: ${why}.`);
  }
  if (answer.status < 200 || answer.status >= 300) throw badAnswer(at, posting, answer);
  const undelivered = whyNot?.(answer.text) ?? null;
  if (undelivered === null) return;
  throw new LockstepError(
    undelivered.isRefused ? "CHANNEL_REFUSED" : "CHANNEL_UNAVAILABLE",
    `${at} answered ${answer.status}, and the message did not arrive: ${undelivered.why}`,
  );
}

function badAnswer(at: string, { url, replace }: Posting, answer: Told): LockstepError {
  const { status, retryAfterMs, location } = answer;
  const refused = (why: string, isGone = false) =>
    new LockstepError("CHANNEL_REFUSED", `${at} answered ${status}${why}`, {
      ...(isGone ? { details: { gone: true } } : {}),
    });
  if (status === 429 || status === 408 || status === 425 || status >= 500) {
    return new LockstepError(
      "CHANNEL_UNAVAILABLE",
      `${at} answered ${status}${status === 429 ? ": too many messages for now" : ""}.`,
      retryAfterMs === undefined ? {} : { retryAfterMs },
    );
  }
  if (status >= 300 && status < 400) return refused(`: ${redirection(url, location)}`);
  if (status === 404) return refused(`: there is no such address any more. ${replace}`, true);
  if (status === 410) return refused(`: the address is gone for good. ${replace}`, true);
  if (status === 413) return refused(": it takes no message of this size.");
  return refused(".");
}

/** The host alone: the path of such an address is often its secret. */
function redirection(url: string, location: string): string {
  const from = new URL(url);
  const to = location !== "" && URL.canParse(location, url) ? new URL(location, url) : null;
  const where =
    to === null || to.host === ""
      ? "elsewhere"
      : to.origin === from.origin
        ? "to another path of its own"
        : `to ${to.protocol}//${to.host}`;
  return `it leads ${where}, and that is not followed. Write the address that it leads to, if it is yours, in \`alerts:\`, and run \`lockstep apply\`.`;
}

async function told(message: IncomingMessage, isTextWanted: boolean): Promise<Told> {
  const { statusCode, headers } = message;
  return {
    status: statusCode ?? 0,
    retryAfterMs: retryAfterMsOf(headers["retry-after"], headers.date, Date.now()),
    location: headers.location ?? "",
    text: isTextWanted ? await beginningOf(message) : "",
  };
}

async function beginningOf(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of message) {
    parts.push(part as Buffer);
    size += (part as Buffer).length;
    if (size >= MAX_BODY_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, MAX_BODY_BYTES).toString("utf8");
}
