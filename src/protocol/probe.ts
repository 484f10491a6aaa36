/**
 * What a binding's `probe` may say: one request, one command on the target's host, or a kind of service that is known
 * here, that answers differently to a value that it accepts and to one that it does not. Holds no value: `{{value}}`
 * marks its places.
 */
import { z } from "zod";
import { isLoopbackHost } from "../lib/addresses.ts";
import { listed, say, wordUnknownKeys } from "./config-problem.ts";

/** Stands where the value goes. */
export const VALUE_MARK = "{{value}}";

/** They steer the connection itself, or decide where a request's end is. */
const CONNECTION_HEADERS = new Set(
  `connection content-length expect host keep-alive proxy-authenticate proxy-authorization proxy-connection te
  trailer transfer-encoding upgrade`.split(/\s+/),
);
/** What it listens on unless told (its configuration reference, `gateway.port`). */
export const OPENCLAW_PORT = 18_789;
const METHODS = ["GET", "HEAD", "POST", "PUT", "OPTIONS"] as const;

function strict<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, { error: wordUnknownKeys(Object.keys(shape)) });
}

function answers(min: number, max: number) {
  return z
    .array(z.int().min(min).max(max))
    .min(1, { error: say("names nothing", "Give at least one; without it no answer could be told.") })
    .max(50);
}

/** https, or http on loopback; without user, password and fragment. */
export const probeUrl = z
  .string()
  .max(2_048)
  .superRefine((text, context) => {
    const wrong = urlProblem(text);
    if (wrong !== null) context.addIssue({ code: "custom", message: wrong });
  });

const headerName = z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/, {
  error: say("is not a header's name", "Use letters, digits and -."),
});
const headerText = z
  .string()
  .max(4_096)
  .regex(/^[\x21-\x7e\xa1-\xff](?:[\x20-\x7e\xa1-\xff]*[\x21-\x7e\xa1-\xff])?$/, {
    error: say("is not usable in a header", "Use one line of visible Latin characters."),
  });

/** PEM text. */
export const trustedCertificate = z
  .string()
  .max(65_536)
  .regex(/^\s*-----BEGIN CERTIFICATE-----[\s\S]+-----END CERTIFICATE-----\s*$/, {
    error: say(
      "is not a certificate",
      "Give its PEM text as a block: `caCertificate: |`, and its lines below.",
    ),
  });

const http = strict({
  url: probeUrl,
  method: z.enum(METHODS).default("GET"),
  headers: z.record(headerName, headerText).default({}),
  body: z.string().max(65_536).optional(),
  /** Statuses. Everything that stands in neither list tells nothing. */
  accepted: answers(200, 599),
  refused: answers(200, 599),
  timeoutSeconds: z.int().min(1).max(60).default(5),
  /** Who makes the request; `target`: the target's host does, to what listens there. */
  from: z.enum(["server", "target"]).default("server"),
  /** Fresh connections, all of which must agree: for services of several replicas. */
  connections: z.int().min(1).max(30).default(1),
  /** Ask with the old value too, after it was retired: it must be refused then. */
  counter: z.boolean().default(false),
  /** Trusted in addition to the public authorities. */
  caCertificate: trustedCertificate.optional(),
}).superRefine((probe, context) => {
  const refuse = (path: readonly (string | number)[], message: string, remedy: string) =>
    context.addIssue({ code: "custom", path: [...path], message: say(message, remedy) });
  disjoint(probe, refuse);
  const { headers, body } = probe;
  const names = Object.keys(headers);
  for (const [index, name] of names.entries()) {
    const lower = name.toLowerCase();
    if (CONNECTION_HEADERS.has(lower))
      refuse(["headers", name], "belongs to the connection", "Leave it out; it is set as the request needs.");
    if (names.findIndex((other) => other.toLowerCase() === lower) !== index)
      refuse(["headers", name], "is named twice", "Keep one of them.");
  }
  const contentType = contentTypeOf(headers);
  if (contentType?.includes(VALUE_MARK))
    refuse(
      ["headers"],
      "has the value in its content type",
      "Put {{value}} into another header or the body.",
    );
  if (body !== undefined) {
    if (probe.method === "GET" || probe.method === "HEAD")
      refuse(["body"], `does not go with ${probe.method}`, "Use method: POST or PUT, or leave it out.");
    if (contentType === null)
      refuse(
        ["body"],
        "has no content type",
        "Name it in headers: Content-Type decides how the value is written.",
      );
    else if (bodyEncoding(contentType) === "json" && !isJson(body.replaceAll(VALUE_MARK, "x")))
      refuse(["body"], "is not JSON with {{value}} inside a string", "Put it in quotes, as in a JSON text.");
  }
  if (![...Object.values(headers), body ?? ""].some((text) => text.includes(VALUE_MARK)))
    refuse([], "does not say where the value goes", "Write {{value}} into a header or the body.");
  const parsed = URL.canParse(probe.url) ? new URL(probe.url) : null;
  if (probe.from === "target" && parsed !== null && !isLoopbackHost(parsed.hostname))
    refuse(
      ["url"],
      "is not on loopback, and from the target only what listens there can be asked",
      "Use http://127.0.0.1:PORT/…, or from: server.",
    );
});

const word = z
  .string()
  .max(4_096)
  .regex(/^\P{Cc}*$/u, { error: say("is not one line of visible text", "Leave control characters out.") });

const command = strict({
  /** Runs on the target's host without a shell; the value comes over stdin, without a line break at its end. */
  run: z
    .array(word)
    .min(1)
    .max(64)
    .refine(([program]) => program?.startsWith("/"), {
      error: say("must begin with the program's absolute path", "For example /usr/local/bin/check-token."),
    })
    // Any local user can read a process's words.
    .refine((words) => !words.some((text) => text.includes(VALUE_MARK)), {
      error: say("has the value among its words, where others could read it", "Read it from stdin."),
    }),
  /** Exit codes. */
  accepted: answers(0, 255),
  refused: answers(0, 255),
  timeoutSeconds: z.int().min(1).max(60).default(10),
}).superRefine((probe, context) =>
  disjoint(probe, (path, message, remedy) =>
    context.addIssue({ code: "custom", path: [...path], message: say(message, remedy) }),
  ),
);

/** A gateway of OpenClaw on the target's machine, which accepts one token at a time. */
export const openclawProbe = strict({
  port: z.int().min(1).max(65_535).default(OPENCLAW_PORT),
  /**
   * Its token stands behind a reference (file, exec or store), which it reads again only when it is told to. It is told
   * with the value that it still accepts.
   */
  reload: z.boolean().default(false),
  /** Wrong tokens are answered late, by up to 5 s. */
  timeoutSeconds: z.int().min(1).max(60).default(10),
});

export const probeSchema = strict({
  http: http.optional(),
  command: command.optional(),
  openclaw: openclawProbe.optional(),
}).refine((probe) => Object.values(probe).filter((one) => one !== undefined).length === 1, {
  error: say("must hold exactly one of http, command and openclaw", "Keep one of them."),
});

export type Probe = z.output<typeof probeSchema>;
export type HttpProbe = z.output<typeof http>;
export type CommandProbe = z.output<typeof command>;
export type OpenClawProbe = z.output<typeof openclawProbe>;

export function openclawUrl({ port }: Pick<OpenClawProbe, "port">): string {
  return `http://127.0.0.1:${port}/tools/invoke`;
}

/** Where it is told to read its references again. */
export function openclawReloadUrl({ port }: Pick<OpenClawProbe, "port">): string {
  return `ws://127.0.0.1:${port}/`;
}

/** Whom a probe's questions reach over the network, each as its machine's owner may allow it. */
export function urlsOf({ http, openclaw }: Probe): readonly string[] {
  if (http !== undefined) return [http.url];
  if (openclaw === undefined) return [];
  return [openclawUrl(openclaw), ...(openclaw.reload ? [openclawReloadUrl(openclaw)] : [])];
}

/** Where a body's `{{value}}` stands decides how the value is written. `contentType`: the header's text. */
export function bodyEncoding(contentType: string): "json" | "form" | "raw" {
  const media = (contentType.split(";")[0] ?? "").trim().toLowerCase();
  if (media === "application/json" || media.endsWith("+json")) return "json";
  return media === "application/x-www-form-urlencoded" ? "form" : "raw";
}

export function contentTypeOf(headers: Readonly<Record<string, string>>): string | null {
  return Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1] ?? null;
}

function disjoint(
  { accepted, refused }: Pick<HttpProbe, "accepted" | "refused">,
  refuse: (path: readonly string[], message: string, remedy: string) => void,
): void {
  const both = accepted.filter((answer) => refused.includes(answer));
  if (both.length > 0)
    refuse(["refused"], `shares ${listed(both.map(String), "and")} with accepted`, "Keep each in one list.");
}

function urlProblem(text: string): string | null {
  // Before parsing, which would quietly drop line breaks and tabs.
  if (!/^[\x21-\x7e]+$/.test(text) || !URL.canParse(text))
    return say("is not a URL", "Write it whole, for example https://api.example.com/ping.");
  const { protocol, hostname, port, username, password, hash, href } = new URL(text);
  if (`${text} ${href}`.includes("{{") || /%7b%7b/i.test(href))
    return say(
      "would hold the value, and URLs are logged on their way",
      "Put {{value}} into a header or the body.",
    );
  if (username !== "" || password !== "")
    return say(
      "holds a user or a password, and URLs are logged on their way",
      "Use a header: Authorization.",
    );
  if (hash !== "") return say("has a fragment, which is never sent", "Leave out # and what follows.");
  if (port === "0") return say("names port 0", "Name the port that the service listens on.");
  if (protocol === "https:") return null;
  if (protocol !== "http:") return say("is neither https nor http", "Begin it with https://.");
  return isLoopbackHost(hostname)
    ? null
    : say("would send the value unencrypted", "Use https://; http:// is for loopback alone.");
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
