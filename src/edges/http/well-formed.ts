/**
 * What every request must be, whoever sends it and whatever it asks for.
 *
 * Two Host headers, or an absolute address as request target, let a proxy in front and us see different hosts: refused
 * instead of choosing one. Texts that Postgres cannot keep (NUL, half of a character) and that no name is as long as are
 * refused before anything is asked or written.
 */
import type { FastifyRequest } from "fastify";
import { LockstepError } from "../../core/errors.ts";

/** More than any name, id or instant of the API; values travel in bodies, which have limits of their own. */
const MAX_ADDRESS_TEXT = 1_000;
const MAX_NESTING = 64;

/** Throws REQUEST_MALFORMED. */
export function assertWellFormed({ raw }: FastifyRequest): void {
  const hosts = raw.rawHeaders.filter((name, index) => index % 2 === 0 && name.toLowerCase() === "host");
  if (hosts.length > 1) throw malformed("it has more than one Host header");
  // Probes of old balancers speak HTTP/1.0, which knows none.
  if (hosts.length === 0 && raw.httpVersion !== "1.0") throw malformed("it has no Host header");
  if (!raw.url?.startsWith("/")) throw malformed("its target is not a path");
}

/** `input` is a path's or query's parameters. Throws REQUEST_MALFORMED, which names the parameter and not its text. */
export function assertAddressTexts(input: unknown, where: "path" | "query"): void {
  assertTexts(input, where);
  for (const [name, value] of Object.entries(input ?? {})) {
    const texts: readonly unknown[] = Array.isArray(value) ? value : [value];
    if ([name, ...texts].some((text) => typeof text === "string" && text.length > MAX_ADDRESS_TEXT)) {
      throw malformed(`a parameter of its ${where} is longer than ${MAX_ADDRESS_TEXT} characters`);
    }
  }
}

/**
 * `input` is a parsed body. `sealed` are the names at its top whose texts are values: they are not columns, and their own
 * rules say what they may hold. Throws REQUEST_MALFORMED.
 */
export function assertBodyTexts(input: unknown, sealed: readonly string[] = []): void {
  const isBody = typeof input === "object" && input !== null && !Array.isArray(input);
  const rest = isBody ? Object.entries(input).filter(([name]) => !sealed.includes(name)) : [];
  assertTexts(isBody ? Object.fromEntries(rest) : input, "body");
}

/** Without recursion: how deep it is, is the sender's choice. */
function assertTexts(input: unknown, where: string): void {
  const left: { readonly value: unknown; readonly depth: number }[] = [{ value: input, depth: 0 }];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const { value, depth } = next;
    if (depth > MAX_NESTING) throw malformed(`its ${where} is nested deeper than ${MAX_NESTING} levels`);
    if (typeof value === "string") assertText(value, where);
    if (typeof value !== "object" || value === null) continue;
    for (const [name, below] of Object.entries(value)) {
      assertText(name, where);
      left.push({ value: below, depth: depth + 1 });
    }
  }
}

function assertText(text: string, where: string): void {
  if (text.includes("\0")) throw malformed(`its ${where} holds a NUL`);
  if (/\p{Surrogate}/u.test(text)) throw malformed(`its ${where} is not valid Unicode`);
}

function malformed(why: string): LockstepError {
  return new LockstepError("REQUEST_MALFORMED", `Cannot read the request: ${why}.`);
}
