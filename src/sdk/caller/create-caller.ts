/**
 * Sends the secret with requests to configured origins, and tries the other slot where the first is refused.
 *
 * Attacker: steers a URL or a redirect, or reads errors and logs. Gain: the value. Defence: the header goes to the
 * configured origins alone, redirects elsewhere are handed back unfollowed, no error holds a value. What remains: a
 * configured origin can do with the value what it likes, and `headers` and `attempt` hand it out.
 */
import { inspect } from "node:util";
import { openSource, type SourceOptions } from "../source/source.ts";
import type { Slot } from "../source/values.ts";
import { CallerError } from "./caller-error.ts";
import { allowedUrl, discard, type Input, isReplayable, originsOf, redirectWithin } from "./request-parts.ts";
import { type Candidate, SlotMemory } from "./slot-memory.ts";

const MAX_REDIRECTS = 5;
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
const CALLER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
/** Latin-1 without control characters, and no blank at the ends: HTTP drops those, and another value arrives. */
const SENDABLE = /^(?![\t ])[\t\x20-\x7e\x80-\xff]+(?<![\t ])$/;

export interface CallerOptions extends SourceOptions {
  /** Where the secret may go: scheme, host and port, like `https://api.example.com`. */
  readonly origins: readonly string[];
  /** Default `x-internal-secret`. With `authorization`, `Bearer ` stands before the value. */
  readonly header?: string;
  /** Statuses that mean "another value, please". Default 401. */
  readonly retryOn?: readonly (401 | 403)[];
  /** Says who calls, in `x-lockstep-caller`, for the verifier's use counts: letters, digits, `.`, `_`, `-`. */
  readonly caller?: string;
}

export interface Caller {
  /**
   * Like the global fetch, with the secret. A refused request whose body can be sent again is made once more with the
   * other slot; the last answer is returned. Redirects of GET and HEAD within the origin are followed, five at most;
   * any other is returned as it came.
   *
   * Rejects with CALLER_ORIGIN, CALLER_NO_VALUE, CALLER_UNSENDABLE, CALLER_REQUEST, or as fetch does.
   */
  fetch(input: Input, init?: RequestInit): Promise<Response>;
  /** For another HTTP client, right before a request to that origin; tell that client to follow no redirects. */
  headers(origin: string): Record<string, string>;
  /**
   * Calls with the value, and once more with the other one if the answer's status says so. `place` keeps apart what
   * is learnt about different verifiers. What `send` throws is passed on as it is.
   */
  attempt<Answer extends { readonly status: number }>(
    send: (value: string, slot: Slot) => Promise<Answer>,
    place?: string,
  ): Promise<Answer>;
  /** Stops following the file. */
  close(): void;
}

/** Throws CALLER_OPTIONS, or a TypeError for the names of the variables. */
export function createCaller(options: CallerOptions): Caller {
  const { header = "x-internal-secret", retryOn = [401], caller } = options;
  if (!HEADER_NAME.test(header)) throw new CallerError("CALLER_OPTIONS", "the header's name is not one");
  if (caller !== undefined && !CALLER_NAME.test(caller)) {
    throw new CallerError(
      "CALLER_OPTIONS",
      "the caller's name has other characters than letters, digits and ._-",
    );
  }
  if (retryOn.some((status) => status !== 401 && status !== 403)) {
    throw new CallerError("CALLER_OPTIONS", "the other slot is tried on 401 and 403 alone");
  }
  const origins = originsOf(options.origins);
  const source = openSource(options);
  const memory = new SlotMemory();
  const prefix = header.toLowerCase() === "authorization" ? "Bearer " : "";

  const isRefused = (status: number) => retryOn.some((one) => one === status);

  function candidates(place: string): readonly [Candidate, ...Candidate[]] {
    const [first, ...others] = memory.candidates(place, source.read());
    if (first === undefined) throw new CallerError("CALLER_NO_VALUE", `${options.name} has no value`);
    return [first, ...others];
  }

  function headersWith({ slot, value }: Candidate): Record<string, string> {
    if (!SENDABLE.test(value)) {
      throw new CallerError(
        "CALLER_UNSENDABLE",
        `the ${slot} value of ${options.name} cannot stand in a header: it has line ends, control characters, ` +
          "characters beyond Latin-1, or blanks at its ends",
      );
    }
    return { [header]: prefix + value, ...(caller === undefined ? {} : { "x-lockstep-caller": caller }) };
  }

  /** The first answer that is not a refusal, or the last one. */
  async function inTurn<Answer extends { readonly status: number }>(
    place: string,
    mayRepeat: boolean,
    send: (candidate: Candidate) => Promise<Answer>,
    drop: (answer: Answer) => Promise<void>,
  ): Promise<Answer> {
    const [first, other] = candidates(place);
    const answer = await send(first);
    if (!isRefused(answer.status) || other === undefined || !mayRepeat) return answer;
    await drop(answer);
    const second = await send(other);
    if (!isRefused(second.status)) memory.remember(place, other);
    return second;
  }

  async function send(input: Input, init: RequestInit, url: URL, candidate: Candidate): Promise<Response> {
    const request = input instanceof Request ? input : null;
    const headers = new Headers(init.headers ?? request?.headers);
    for (const [name, value] of Object.entries(headersWith(candidate))) headers.set(name, value);
    const mode = init.redirect ?? request?.redirect ?? "follow";
    const method = init.method ?? request?.method ?? "GET";
    const sent: RequestInit = { ...init, headers, redirect: mode === "follow" ? "manual" : mode };
    const again: RequestInit = { ...sent, method, signal: init.signal ?? request?.signal ?? null };
    let at = url;
    let response = await fetch(request ?? url, sent);
    for (let hops = 0; mode === "follow" && hops < MAX_REDIRECTS; hops += 1) {
      const next = redirectWithin(at, method, response);
      if (next === null) break;
      await discard(response);
      at = next;
      response = await fetch(next, again);
    }
    return response;
  }

  return {
    async fetch(input, init = {}) {
      const url = allowedUrl(input, origins);
      const mayRepeat = isReplayable(input, init.body);
      const guarded = (candidate: Candidate) =>
        withoutValue(candidate.value, () => send(input, init, url, candidate));
      return inTurn(url.origin, mayRepeat, guarded, discard);
    },
    headers(origin) {
      const url = allowedUrl(origin, origins);
      return headersWith(candidates(url.origin)[0]);
    },
    async attempt(call, place = "") {
      const dropNothing = async () => undefined;
      return inTurn(place, true, ({ value, slot }) => call(value, slot), dropNothing);
    },
    close: () => source.close(),
  };
}

/** Passes an error on unless it shows the value anywhere: in its text, its cause, what a parser kept of an answer. */
async function withoutValue<Result>(value: string, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof CallerError || !holds(error, value)) throw error;
    throw new CallerError("CALLER_REQUEST", "the request failed; the reason held the secret and was dropped");
  }
}

function holds(error: unknown, value: string): boolean {
  const depth = Number.POSITIVE_INFINITY;
  const shown = inspect(error, { depth, maxArrayLength: null, maxStringLength: null, breakLength: Infinity });
  return [value, JSON.stringify(value).slice(1, -1), encodeURIComponent(value)].some((text) =>
    shown.includes(text),
  );
}
