/**
 * Sealed messages from server to agent: a JWS (Ed25519, the store's bundle key) inside a JWE (ECDH-ES on X25519,
 * AES-256-GCM, to the agent's key). Signed first, so that nobody can strip the signature and put their own around what
 * they cannot read; encrypted to one agent, so that only it learns what was signed.
 *
 * Algorithms are fixed here and never taken from a header: a message that names others does not open.
 */
import { CompactEncrypt, CompactSign, compactDecrypt, compactVerify, importJWK } from "jose";

/** Public keys as JWK (RFC 8037): {kty: "OKP", crv: "Ed25519" | "X25519", x}. */
export interface PublicJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519" | "X25519";
  readonly x: string;
}

export interface PrivateJwk extends PublicJwk {
  readonly d: string;
}

const SIGNATURE = { alg: "EdDSA", typ: "lockstep-sealed+jws" } as const;
const ENCRYPTION = { alg: "ECDH-ES", enc: "A256GCM", cty: "JWS", typ: "lockstep-sealed+jwe" } as const;
const MAX_CONTENT_BYTES = 8 * 1024 * 1024;

export async function sealMessage(
  content: unknown,
  keys: { readonly signWith: PrivateJwk; readonly encryptTo: PublicJwk },
): Promise<string> {
  const signed = await new CompactSign(new TextEncoder().encode(JSON.stringify(content)))
    .setProtectedHeader(SIGNATURE)
    .sign(await importJWK({ ...keys.signWith }, SIGNATURE.alg));
  return new CompactEncrypt(new TextEncoder().encode(signed))
    .setProtectedHeader(ENCRYPTION)
    .encrypt(await importJWK({ ...keys.encryptTo }, ENCRYPTION.alg));
}

/** Null when it is not for us, not from them, or changed: an attacker learns not which. The content is untrusted JSON. */
export async function openMessage(
  sealed: string,
  keys: { readonly decryptWith: PrivateJwk; readonly signedBy: PublicJwk },
): Promise<unknown> {
  if (sealed.length > MAX_CONTENT_BYTES) return null;
  try {
    const { plaintext, protectedHeader: outer } = await compactDecrypt(
      sealed,
      await importJWK({ ...keys.decryptWith }, ENCRYPTION.alg),
      { keyManagementAlgorithms: [ENCRYPTION.alg], contentEncryptionAlgorithms: [ENCRYPTION.enc] },
    );
    const { payload, protectedHeader: inner } = await compactVerify(
      plaintext,
      await importJWK({ ...keys.signedBy }, SIGNATURE.alg),
      { algorithms: [SIGNATURE.alg] },
    );
    if (outer.typ !== ENCRYPTION.typ || inner.typ !== SIGNATURE.typ) return null;
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
  } catch {
    return null;
  }
}
