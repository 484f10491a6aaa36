/**
 * An address with credentials, as a person wrote it: `scheme://user:password@host:port/path?name=value`.
 *
 * Passwords are copied as they are, with `%`, `#`, `/`, `?`, `@` and spaces in them, although an address wants these
 * escaped. Every way to read the text is tried; it is taken when exactly one makes sense. What could mean two things is
 * a problem by name, and no problem repeats any part of the text.
 */
import { isIP } from "node:net";

export interface WrittenAddress {
  /** In small letters, without the colon. */
  readonly scheme: string;
  readonly user: string | null;
  readonly password: string | null;
  /** Without brackets; a directory where it begins with `/`; empty where none is written. */
  readonly host: string;
  readonly port: number | null;
  /** Without the first `/`; empty where none is written. */
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
}

export type AddressProblem =
  | "quoted" // stands in quotation marks
  | "keywords" // libpq's `host=… user=…`
  | "scheme" // is not one of those asked for
  | "control" // holds a line break or another control character
  | "ambiguous" // may be read in more than one way
  | "escape-mixed" // user or password: `%` both as itself and as the beginning of an escape
  | "escape-text" // user or password: escapes that are no UTF-8
  | "hosts" // more than one host
  | "host"
  | "port"
  | "path"
  | "parameters" // one that is not known, written twice, or not as name=value
  | "fragment";

export type ReadAddress =
  | { readonly ok: true; readonly address: WrittenAddress }
  | { readonly ok: false; readonly problem: AddressProblem };

export interface AddressGrammar {
  readonly schemes: readonly string[];
  /** Names of parameters that may stand behind `?`. */
  readonly parameters: ReadonlySet<string>;
}

export function readAddress(text: string, grammar: AddressGrammar): ReadAddress {
  const outside = problemOutside(text);
  if (outside !== null) return failed(outside);
  const [, scheme = "", rest = ""] = /^([A-Za-z][A-Za-z0-9+.-]*):\/\/(.*)$/u.exec(text) ?? [];
  if (!grammar.schemes.includes(scheme.toLowerCase())) return failed("scheme");
  const readings = [-1, ...indexesOf(rest, "@")].map((at) => ({
    userinfo: at < 0 ? null : rest.slice(0, at),
    server: readServer(rest.slice(at + 1), grammar),
  }));
  const [reading, another] = readings.filter(({ server }) => server.problem === null);
  if (another !== undefined) return failed("ambiguous");
  if (reading === undefined) return failed(usualReading(rest, readings).server.problem ?? "host");
  const [user, password] = credentialsIn(reading.userinfo);
  for (const part of [user, password]) if (part !== null && "problem" in part) return failed(part.problem);
  const { host, port, path, parameters } = reading.server;
  return {
    ok: true,
    address: {
      ...{ scheme: scheme.toLowerCase(), user: textOf(user), password: textOf(password) },
      ...{ host, port, path, parameters },
    },
  };
}

function problemOutside(text: string): AddressProblem | null {
  // A parser of URLs drops line breaks and tabs without a word.
  if (/\p{Cc}/u.test(text)) return "control";
  if (/^(["'`]).*\1$/u.test(text)) return "quoted";
  return /^[a-z_]+ *= *\S/.test(text) ? "keywords" : null;
}

/** As a parser of URLs would: the authority ends at the first `/`, `?` or `#`. */
function usualReading<Reading>(
  rest: string,
  readings: readonly [Reading, ...Reading[]] | Reading[],
): Reading {
  const authority = rest.split(/[/?#]/, 1)[0] ?? "";
  const usual = readings[indexesOf(authority, "@").length] ?? readings[0];
  return usual as Reading;
}

interface Server {
  readonly problem: AddressProblem | null;
  readonly host: string;
  readonly port: number | null;
  readonly path: string;
  readonly parameters: ReadonlyMap<string, string>;
}

const NOWHERE: Server = { problem: null, host: "", port: null, path: "", parameters: new Map() };

/** What stands behind user and password. */
function readServer(text: string, { parameters: known }: AddressGrammar): Server {
  const wrong = (problem: AddressProblem): Server => ({ ...NOWHERE, problem });
  if (text.includes("#")) return wrong("fragment");
  const [, authority = "", written = "", query = ""] =
    /^([^/?]*)(?:\/([^?]*))?(?:\?(.*))?$/u.exec(text) ?? [];
  if (authority.includes("@")) return wrong("host");
  if (authority.includes(",")) return wrong("hosts");
  const place = readHost(authority);
  if (typeof place === "string") return wrong(place);
  const path = /[/@]/.test(written) ? null : unescaped(written);
  if (path === null) return wrong("path");
  const parameters = readParameters(query, known);
  return parameters === null ? wrong("parameters") : { problem: null, ...place, path, parameters };
}

function readHost(authority: string): { host: string; port: number | null } | AddressProblem {
  const [, inBrackets, plain = "", colon, digits = ""] =
    /^(?:\[([^\]]*)\]|([^[\]:]*))(?:(:)(.*))?$/u.exec(authority) ?? [];
  if (authority !== "" && inBrackets === undefined && plain === "") return "host";
  const port = colon === undefined || digits === "" ? null : Number(digits);
  if (port !== null && !(/^\d{1,5}$/.test(digits) && port >= 1 && port <= 65_535)) return "port";
  if (inBrackets !== undefined) return isIP(inBrackets) === 6 ? { host: inBrackets, port } : "host";
  const host = unescaped(plain) ?? "";
  const isGood = plain === "" || /^\/[^@]*$/.test(host) || /^[\p{L}\p{N}][\p{L}\p{N}._-]*$/u.test(host);
  return isGood ? { host, port } : "host";
}

function readParameters(query: string, known: ReadonlySet<string>): ReadonlyMap<string, string> | null {
  const read = new Map<string, string>();
  for (const one of query.split("&").filter((each) => each !== "")) {
    const [, name = "", text = ""] = /^([^=]*)=(.*)$/u.exec(one) ?? [];
    const value = unescaped(text);
    if (!known.has(name) || value === null || read.has(name)) return null;
    read.set(name, value);
  }
  return read;
}

type Part = { readonly text: string } | { readonly problem: AddressProblem };

function credentialsIn(userinfo: string | null): readonly [user: Part | null, password: Part | null] {
  if (userinfo === null) return [null, null];
  const colon = userinfo.indexOf(":");
  if (colon < 0) return [readPart(userinfo), null];
  return [readPart(userinfo.slice(0, colon)), readPart(userinfo.slice(colon + 1))];
}

/** Escaped throughout, or not at all. Whoever wrote `/` or `#` as it is did not escape `%` either. */
function readPart(text: string): Part {
  const escapes = /%[0-9A-Fa-f]{2}/.test(text);
  if (!escapes) return { text };
  if (/%(?![0-9A-Fa-f]{2})|[/?#\s]/.test(text)) return { problem: "escape-mixed" };
  const plain = unescaped(text);
  return plain === null ? { problem: "escape-text" } : { text: plain };
}

function unescaped(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function textOf(part: Part | null): string | null {
  return part === null || "problem" in part || part.text === "" ? null : part.text;
}

function indexesOf(text: string, sought: string): number[] {
  return [...text.matchAll(new RegExp(sought, "gu"))].map(({ index }) => index);
}

function failed(problem: AddressProblem): ReadAddress {
  return { ok: false, problem };
}
