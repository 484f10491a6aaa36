/**
 * A certificate for the agents' listener where none is given. Nobody vouches for it and no name in it is checked: agents
 * know the digest of its public key from their enrolment code. So it may live long, and its key is what counts.
 *
 * Written in DER by hand (RFC 5280): it has one form, and a library that can write every form brings more code than all
 * of Lockstep's cryptography.
 */
import { generateKeyPairSync, randomBytes, sign } from "node:crypto";

export interface SelfSigned {
  readonly certificatePem: string;
  /** PKCS #8. */
  readonly privateKeyPem: string;
}

const LIFE_YEARS = 10;
/** For machines whose clock is behind. */
const SKEW_MS = 3_600_000;

const SEQUENCE = 0x30;
const SET = 0x31;
const OID = {
  ecdsaWithSha256: "2a8648ce3d040302",
  commonName: "550403",
  basicConstraints: "551d13",
} as const;

/** ECDSA on P-256, valid for ten years. */
export function makeSelfSigned(now: Date): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const until = new Date(now);
  until.setUTCFullYear(now.getUTCFullYear() + LIFE_YEARS);
  const algorithm = der(SEQUENCE, oid("ecdsaWithSha256"));
  const name = der(
    SEQUENCE,
    der(SET, der(SEQUENCE, oid("commonName"), der(0x0c, Buffer.from("lockstep agents")))),
  );
  const content = der(
    SEQUENCE,
    // Version 3, which alone has extensions.
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serialNumber()),
    algorithm,
    name,
    der(SEQUENCE, time(new Date(now.getTime() - SKEW_MS)), time(until)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    // The one extension, critical: it signs no other certificate.
    der(
      0xa3,
      der(
        SEQUENCE,
        der(SEQUENCE, oid("basicConstraints"), der(0x01, Buffer.from([0xff])), der(0x04, der(SEQUENCE))),
      ),
    ),
  );
  const signature = sign("sha256", content, privateKey);
  const certificate = der(SEQUENCE, content, algorithm, der(0x03, Buffer.from([0]), signature));
  return {
    certificatePem: `-----BEGIN CERTIFICATE-----\n${lines(certificate)}-----END CERTIFICATE-----\n`,
    privateKeyPem: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

/** Tag, length, content. */
function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from(head), content]);
}

function oid(name: keyof typeof OID): Buffer {
  return der(0x06, Buffer.from(OID[name], "hex"));
}

/** Positive and without a leading zero byte, as DER wants it. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40;
  return bytes;
}

/** Two digits for the year until 2049, four from then on. */
function time(instant: Date): Buffer {
  const digits = instant.toISOString().replace(/\.\d+/, "").replaceAll(/[-:T]/g, "");
  return instant.getUTCFullYear() < 2050
    ? der(0x17, Buffer.from(digits.slice(2)))
    : der(0x18, Buffer.from(digits));
}

function lines(bytes: Buffer): string {
  return bytes.toString("base64").replaceAll(/.{1,64}/g, "$&\n");
}
