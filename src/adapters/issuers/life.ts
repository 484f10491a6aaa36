/**
 * How long a token lives, by what its issuer said of it. Issuers say it in many ways: what has one meaning is read, what
 * could mean another end than it seems is `unreadable`, and never guessed.
 */
import type { IssuedLife } from "../../core/ports/issuer.ts";
import { durationMs } from "../../lib/duration.ts";

const NUMBER = /^\s*-?[0-9]{1,20}(?:\.[0-9]{1,20})?\s*$/;
const SECOND_MS = 1_000;
const MINUTE_MS = 60_000;
const DAY_SECONDS = 86_400;
/** No life in seconds that people choose: more is a life in milliseconds. */
const LONGEST_SECONDS = 400 * DAY_SECONDS;
/** Ten minutes in milliseconds; what is said in seconds and is as long is said in whole days. */
const SHORTEST_MS = 600_000;
/** As seconds the year 5138, as milliseconds 1973. */
const FIRST_EPOCH_MS = 100_000_000_000;

/** Of the configuration; null: nobody said. */
export function lifeFor(fixed: string | undefined): IssuedLife {
  const ms = durationMs(fixed);
  return ms === undefined ? null : { kind: "for", ms };
}

/** Null, "" and what is not there say nothing. */
export function isSaid(said: unknown): boolean {
  return said !== undefined && said !== null && said !== "";
}

/** Seconds from the request on, also as text. */
export function lifeIn(said: unknown): IssuedLife {
  const count = numberOf(said);
  if (count === null) return unreadable("how long it lives is said in no number of seconds");
  if (count <= 0) return unreadable("its issuer says that it lives no time at all");
  return { kind: "for", ms: isInMilliseconds(count) ? count : count * SECOND_MS };
}

/**
 * 3600000 is an hour in milliseconds, or 1000 hours: whole minutes in milliseconds that are no whole days in seconds, or
 * more than any life in seconds. Wrongly read, a token would be renewed too often; the other way, long after its end.
 */
function isInMilliseconds(count: number): boolean {
  if (count < SHORTEST_MS || count % MINUTE_MS !== 0) return false;
  return count > LONGEST_SECONDS || count % DAY_SECONDS !== 0;
}

/** Seconds or milliseconds since 1970, also as text, or ISO 8601; UTC where no zone is named. */
export function lifeUntil(said: unknown): IssuedLife {
  const count = numberOf(said);
  const ms = count === null ? instantOf(said) : count >= FIRST_EPOCH_MS ? count : count * SECOND_MS;
  return ms === null
    ? unreadable("its end is said as no instant: give ISO 8601, or seconds since 1970")
    : { kind: "until", ms };
}

export function unreadable(why: string): NonNullable<IssuedLife> {
  return { kind: "unreadable", why };
}

function numberOf(said: unknown): number | null {
  if (typeof said === "number") return Number.isFinite(said) ? said : null;
  return typeof said === "string" && NUMBER.test(said) ? Number(said) : null;
}

const ISO =
  /^([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?)?\s?(Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?$/;
/** RFC 9110, 5.6.7. */
const HTTP_DATE = /^[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT$/;

/** By hand: the runtime reads an instant without a zone in the zone of this machine. */
function instantOf(said: unknown): number | null {
  if (typeof said !== "string") return null;
  const text = said.trim();
  if (HTTP_DATE.test(text)) return finite(Date.parse(text));
  const found = ISO.exec(text);
  if (found === null) return null;
  const [year, month, day, hour = 0, minute = 0, second = 0] = found
    .slice(1, 7)
    .map((part) => (part === undefined ? undefined : Number(part)));
  if (year === undefined || month === undefined || day === undefined) return null;
  const ms = Date.UTC(year, month - 1, day, hour, minute, second);
  const date = new Date(ms);
  // The 31st of February is no day, and 25:00 no time of one.
  const isReal =
    date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour < 24 && minute < 60 && second < 60;
  const offset = offsetMs(found[8]);
  if (!isReal || offset === null) return null;
  return finite(ms + Number(`0.${found[7] ?? "0"}`) * SECOND_MS - offset);
}

function offsetMs(zone: string | undefined): number | null {
  if (zone === undefined || /^(?:Z|UTC)$/i.test(zone)) return 0;
  const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(3).replace(":", ""))];
  if (hours > 14 || minutes > 59) return null;
  return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes) * MINUTE_MS;
}

function finite(ms: number): number | null {
  return Number.isFinite(ms) ? ms : null;
}
