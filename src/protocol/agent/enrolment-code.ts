/**
 * The one line that a person carries from the server to a machine: where the server is, what it will be recognised by,
 * and 160 random bits that name one target for a quarter of an hour, once.
 *
 * The random part never travels. Two keys are derived from it: `lookup`, by which the server finds the enrolment, and
 * `macKey`, by which each side shows the other that it knows the code. So a proxy that sees the whole enrolment can
 * neither use it again nor put keys of its own in.
 */
import { createHmac, hkdfSync, randomBytes } from "node:crypto";
import { z } from "zod";

export interface EnrolmentCode {
  /** The agents' listener, for example `https://lockstep.example.com:7421`. */
  readonly url: string;
  /** The bundle key's JWK thumbprint (RFC 7638, SHA-256), base64url. */
  readonly bundleKeyDigest: string;
  /** sha256 of the listener's public key (SPKI, DER), base64url; null: its certificate is checked as usual. */
  readonly tlsKeyDigest: string | null;
  /** 160 random bits, base64url. */
  readonly random: string;
}

const PREFIX = "lse_";
const RANDOM_BYTES = 20;
const DIGEST = /^[A-Za-z0-9_-]{43}$/;

const schema = z.strictObject({
  u: z.url({ protocol: /^https?$/ }),
  b: z.string().regex(DIGEST),
  t: z.string().regex(DIGEST).nullable(),
  r: z.string().regex(/^[A-Za-z0-9_-]{27}$/),
});

export function newEnrolmentRandom(): string {
  return randomBytes(RANDOM_BYTES).toString("base64url");
}

export function formatEnrolmentCode({ url, bundleKeyDigest, tlsKeyDigest, random }: EnrolmentCode): string {
  const parts = { u: url, b: bundleKeyDigest, t: tlsKeyDigest, r: random };
  return PREFIX + Buffer.from(JSON.stringify(parts)).toString("base64url");
}

/** Null when it is not a whole code. Blanks and line ends from copying are forgiven. */
export function parseEnrolmentCode(text: string): EnrolmentCode | null {
  const plain = text.replace(/\s+/g, "");
  if (!plain.startsWith(PREFIX)) return null;
  try {
    const { u, b, t, r } = schema.parse(
      JSON.parse(Buffer.from(plain.slice(PREFIX.length), "base64url").toString()),
    );
    return { url: u, bundleKeyDigest: b, tlsKeyDigest: t, random: r };
  } catch {
    return null;
  }
}

export interface EnrolmentKeys {
  /** Finds the enrolment; the server stores its hash. base64url. */
  readonly lookup: string;
  /** The server keeps it sealed. base64url. */
  readonly macKey: string;
}

export function deriveEnrolmentKeys(random: string): EnrolmentKeys {
  const derive = (purpose: string): string =>
    Buffer.from(
      hkdfSync("sha256", Buffer.from(random, "base64url"), "lockstep enrolment", purpose, 32),
    ).toString("base64url");
  return { lookup: derive("lookup"), macKey: derive("mac") };
}

/** Over exactly the text that is sent, so that both sides need no canonical form. base64url. */
export function enrolmentMac(macKey: string, text: string): string {
  return createHmac("sha256", Buffer.from(macKey, "base64url")).update(text).digest("base64url");
}
