/**
 * What a secret's `issue` and `renew` may say: who makes its tokens, and when the next one is due. Holds no value;
 * other secrets of the same environment are named in capitals.
 */
import { z } from "zod";
import { durationMs } from "../lib/duration.ts";
import { say, wordUnknownKeys } from "./config-problem.ts";
import { openclawProbe, probeUrl, trustedCertificate } from "./probe.ts";

/** A token that lives longer was said in another unit, or has no end. Ten years, leap days and all. */
export const LONGEST_LIFE_MS = 3_660 * 86_400_000;

function strict<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, { error: wordUnknownKeys(Object.keys(shape)) });
}

const secretName = z.string().regex(/^[A-Z][A-Z0-9_]{0,127}$/, {
  error: say("is not a secret's name", "Name a secret of this environment, in capitals."),
});
const life = z
  .string()
  .regex(/^[1-9][0-9]{0,5}(?:s|m|h|d|w)$/, {
    error: say("is not a duration", "Write a whole number and a unit: 90s, 15m, 24h, 30d or 2w."),
  })
  .refine((text) => (durationMs(text) ?? 0) <= LONGEST_LIFE_MS, {
    error: say("is longer than ten years", "Write at most 3660d."),
  });
const pointer = z.string().regex(/^(?:\/(?:[^~/]|~[01])*)+$/, {
  error: say("is not a JSON pointer", "Write the way to the field, for example /data/token."),
});
const line = z.string().regex(/^[^\p{Cc}\p{Zl}\p{Zp}]{1,1024}$/u, {
  error: say("is not one line of text", "Leave line breaks and control characters out."),
});

/** Of whoever is asked over the network. */
const asked = {
  timeoutSeconds: z.int().min(1).max(60).default(15),
  /** Requests to this issuer from all workers together. */
  perMinute: z.int().min(1).max(6_000).default(60),
  caCertificate: trustedCertificate.optional(),
};

const random = strict({
  bytes: z.int().min(16).max(1_024).default(32),
  encoding: z.enum(["base64url", "base64", "hex", "alphanumeric"]).default("base64url"),
  life,
});

const jwt = strict({
  /** The secret with the key: PKCS #8 as PEM or a private JWK; for HS256 at least 32 bytes of text. */
  key: secretName,
  algorithm: z.enum(["HS256", "EdDSA", "ES256"]),
  life,
  issuer: line.optional(),
  subject: line.optional(),
  audience: z.union([line, z.array(line).min(1).max(20)]).optional(),
  claims: z.record(z.string().min(1).max(128), z.json()).default({}),
  /** `iat` is so much earlier than this machine's clock, for verifiers whose clocks are behind. */
  backdate: life
    .refine((text) => (durationMs(text) ?? 0) <= 600_000, {
      error: say("is longer than ten minutes", "Set the clocks right, and write at most 10m."),
    })
    .optional(),
  /** A new key is published for so long before anything is signed with it. */
  publishFor: life.default("15m"),
}).superRefine(({ claims }, context) => {
  for (const name of ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]) {
    if (Object.hasOwn(claims, name))
      context.addIssue({
        code: "custom",
        path: ["claims", name],
        message: say("is set by itself", "Use `issuer`, `subject`, `audience` and `life`."),
      });
  }
});

const http = strict({
  url: probeUrl,
  method: z.enum(["GET", "POST", "PUT"]).default("POST"),
  /** `{{NAME}}` is a secret's value, in headers and in the body. */
  headers: z.record(z.string().regex(/^[A-Za-z0-9-]{1,128}$/), z.string().max(4_096)).default({}),
  body: z.string().max(65_536).optional(),
  /** Where the answer, a JSON text, holds the token. */
  token: pointer.default("/token"),
  /**
   * A secret that the request presents and that the answer may replace, and where the answer holds the next one. What the
   * body or a header names as a refresh token is one without saying so.
   */
  replaces: strict({ secret: secretName, at: pointer }).optional(),
  /** Seconds from now; whole minutes in milliseconds are known as such. */
  expiresIn: pointer.optional(),
  /** ISO 8601 (UTC unless it names a zone), or seconds or milliseconds since 1970. */
  expiresAt: pointer.optional(),
  /** Where the answer does not say. */
  life: life.optional(),
  ...asked,
})
  .refine(
    ({ expiresIn, expiresAt, life: fixed }) =>
      [expiresIn, expiresAt, fixed].filter((one) => one !== undefined).length <= 1,
    {
      error: say("says more than once how long a token lives", "Keep one of expiresIn, expiresAt and life."),
    },
  )
  .refine(
    ({ headers, body, replaces }) =>
      replaces === undefined ||
      namesIn([...Object.values(headers), body ?? ""].join("\n")).includes(replaces.secret),
    {
      path: ["replaces", "secret"],
      error: say("is not in the request", "Write {{NAME}} of that secret into the body or a header."),
    },
  );

const oauth2 = strict({
  /** The token endpoint (RFC 6749). */
  tokenUrl: probeUrl,
  clientId: line,
  /** Without it the client is a public one. */
  clientSecret: secretName.optional(),
  authentication: z.enum(["client_secret_basic", "client_secret_post"]).default("client_secret_basic"),
  scope: line.optional(),
  /** RFC 8707. */
  resource: z.url().max(2_048).optional(),
  audience: line.optional(),
  /** With it the refresh grant is used and what the provider gives in its place is kept there; without, client credentials. */
  refreshToken: secretName.optional(),
  /** Where the answer does not say. */
  life: life.optional(),
  ...asked,
}).refine(({ clientSecret, refreshToken }) => clientSecret !== undefined || refreshToken !== undefined, {
  error: say("has nothing to authenticate with", "Add clientSecret, or refreshToken for a public client."),
});

const command = strict({
  /** On the server's machine, if its own list of commands names the program. No shell, no environment. */
  run: z
    .array(
      z
        .string()
        .max(4_096)
        .regex(/^\P{Cc}*$/u),
    )
    .min(1)
    .max(64),
  life: life.optional(),
  timeoutSeconds: z.int().min(1).max(60).default(30),
});

/**
 * The token of an OpenClaw gateway, which accepts one at a time and lets none end by itself: made here, and moved by
 * `swap` (`openclaw.ts`). By `rotate: { every }` or by hand.
 */
const openclaw = strict({
  /** The target on whose machine the gateway runs; the binding there is its own, and verifies. */
  at: z.string().min(1).max(64),
  ...openclawProbe.omit({ timeoutSeconds: true }).shape,
  bytes: z.int().min(32).max(1_024).default(32),
});

const shape = { random, jwt, http, oauth2, command, openclaw };

export const issueSchema = strict({
  random: shape.random.optional(),
  jwt: shape.jwt.optional(),
  http: shape.http.optional(),
  oauth2: shape.oauth2.optional(),
  command: shape.command.optional(),
  openclaw: shape.openclaw.optional(),
}).refine((issue) => Object.values(issue).filter((one) => one !== undefined).length === 1, {
  error: say("must name exactly one issuer", "Keep one of random, jwt, http, oauth2, command and openclaw."),
});

export const renewSchema = strict({
  /** Part of the life after which it is due: 2/3 unless told. */
  at: z
    .union([z.number(), z.string().regex(/^[1-9][0-9]?\/[1-9][0-9]?$/)])
    .refine((at) => isBetween(partOf(at)), {
      error: say("is not a part of a life", "Write a fraction from 1/10 to 19/20, for example 2/3."),
    })
    .optional(),
  /** Or so long before its end. */
  before: life.optional(),
}).refine(({ at, before }) => at === undefined || before === undefined, {
  error: say("says twice when it is due", "Keep one of `at` and `before`."),
});

export type RandomIssue = z.output<typeof random>;
export type JwtIssue = z.output<typeof jwt>;
export type HttpIssue = z.output<typeof http>;
export type OAuth2Issue = z.output<typeof oauth2>;
export type CommandIssue = z.output<typeof command>;
export type OpenClawIssue = z.output<typeof openclaw>;

export function partOf(at: number | string): number {
  const [over = Number.NaN, under = 1] = String(at).split("/").map(Number);
  return over / under;
}

function isBetween(part: number): boolean {
  return part >= 0.1 && part <= 0.95;
}

const NAMED = /\{\{([A-Z][A-Z0-9_]{0,127})\}\}/g;

/** The secrets that a template names. */
export function namesIn(text: string): readonly string[] {
  return [...new Set([...text.matchAll(NAMED)].map(([, name]) => name ?? ""))];
}

/** With each name replaced. */
export function fillNames(text: string, textOf: (name: string) => string): string {
  return text.replace(NAMED, (_all, name: string) => textOf(name));
}

/** As JSON, as a form, or in words of another text. */
const PRESENTED = /refresh[_-]?token["']?\s*[=:]\s*["']?\{\{([A-Z][A-Z0-9_]{0,127})\}\}/i;

/** Of a templated request: what it presents and may use up, and where the answer holds the next one; null: nothing. */
export function refreshOf({ headers, body, replaces }: Pick<HttpIssue, "body" | "headers" | "replaces">): {
  readonly secret: string;
  /** Absent: under its usual names. */
  readonly at?: string;
} | null {
  if (replaces !== undefined) return replaces;
  const lines = Object.entries(headers).map(([name, text]) => `${name}: ${text}`);
  const secret = PRESENTED.exec([body ?? "", ...lines].join("\n"))?.[1];
  return secret === undefined ? null : { secret };
}
