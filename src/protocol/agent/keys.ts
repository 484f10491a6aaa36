/** Key pairs of agents and of the store's bundles, as JWK (RFC 8037), and the name by which others pin one. */
import { createHash, createPrivateKey, type ED25519KeyPairOptions, generateKeyPairSync } from "node:crypto";
import { z } from "zod";
import type { PrivateJwk, PublicJwk } from "./envelope.ts";

const part = z.string().regex(/^[A-Za-z0-9_-]{43}$/);

const privateKey = <Curve extends PublicJwk["crv"]>(crv: Curve) =>
  z.strictObject({ kty: z.literal("OKP"), crv: z.literal(crv), x: part, d: part });

export const signingKey = privateKey("Ed25519");
export type SigningKey = z.output<typeof signingKey>;
export const encryptionKey = privateKey("X25519");
export type EncryptionKey = z.output<typeof encryptionKey>;

export function newSigningKey(): SigningKey {
  return signingKey.parse(asJwk(generateKeyPairSync("ed25519", IN_PEM).privateKey));
}

export function newEncryptionKey(): EncryptionKey {
  return encryptionKey.parse(asJwk(generateKeyPairSync("x25519", IN_PEM).privateKey));
}

/**
 * Never `generateKeyPairSync(…).privateKey.export({ format: "jwk" })`: it stops the process for good in about one of
 * 5,000 calls (measured on Node 20). The export holds the key's lock while it allocates; a collection that comes then
 * frees the generating job, which takes the same lock. A key that was read shares no lock with a job.
 */
const IN_PEM: ED25519KeyPairOptions<"pem", "pem"> = {
  privateKeyEncoding: { format: "pem", type: "pkcs8" },
  publicKeyEncoding: { format: "pem", type: "spki" },
};

/** Only these members: nothing that a library adds is kept. */
function asJwk(pem: string): object {
  const key = createPrivateKey(pem);
  const { kty, crv, x, d } = key.export({ format: "jwk" }) as Partial<PrivateJwk>;
  return { kty, crv, x, d };
}

export function publicPart<Curve extends PublicJwk["crv"]>(key: { readonly crv: Curve; readonly x: string }) {
  const { crv, x } = key;
  return { kty: "OKP" as const, crv, x };
}

/** RFC 7638, for keys of this kind: their required members in the order of the alphabet. base64url. */
export function thumbprint({ kty, crv, x }: PublicJwk): string {
  return createHash("sha256").update(JSON.stringify({ crv, kty, x })).digest("base64url");
}
