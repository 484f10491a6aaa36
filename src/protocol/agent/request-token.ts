/**
 * How an agent signs a request: an EdDSA JWT of at most a minute, bound to method, path and body, with an id that a
 * server accepts once (it remembers ids across processes until they expire).
 *
 *     Authorization: Lockstep-Agent <token>
 */
import { importJWK, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import type { PrivateJwk, PublicJwk } from "./envelope.ts";

export const AUTHORIZATION_SCHEME = "Lockstep-Agent";
export const MAX_TOKEN_SECONDS = 60;
/** How far an agent's clock may run ahead. */
export const CLOCK_TOLERANCE_SECONDS = 10;

const HEADER = { alg: "EdDSA", typ: "lockstep-request+jwt" } as const;

export interface SignedRequest {
  readonly agentId: string;
  readonly storeId: string;
  readonly method: "GET" | "POST";
  readonly path: string;
  /** sha256 of the body, base64url; of nothing where there is none. */
  readonly bodyDigest: string;
  /** 128 random bits, base64url. */
  readonly tokenId: string;
}

const claims = z.object({
  iss: z.uuid(),
  aud: z.uuid(),
  htm: z.enum(["GET", "POST"]),
  htp: z.string(),
  bd: z.string(),
  jti: z.string().regex(/^[A-Za-z0-9_-]{22}$/),
  iat: z.int(),
  exp: z.int(),
});

export async function signRequest(
  request: SignedRequest,
  key: PrivateJwk,
  nowSeconds: number,
): Promise<string> {
  const { agentId, storeId, method, path, bodyDigest, tokenId } = request;
  return new SignJWT({ htm: method, htp: path, bd: bodyDigest })
    .setProtectedHeader(HEADER)
    .setIssuer(agentId)
    .setAudience(storeId)
    .setJti(tokenId)
    .setIssuedAt(nowSeconds)
    .setExpirationTime(nowSeconds + MAX_TOKEN_SECONDS)
    .sign(await importJWK({ ...key }, HEADER.alg));
}

/** Who claims to have signed: to look its key up. Nothing is proven yet. Null when it is no such token. */
export function claimedAgentId(token: string): string | null {
  try {
    const payload: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
    return z.object({ iss: z.uuid() }).parse(payload).iss;
  } catch {
    return null;
  }
}

export type VerifiedRequest =
  | { readonly ok: true; readonly request: SignedRequest; readonly expiresAtSeconds: number }
  /** `clock`: rightly signed, but outside its time by `aheadSeconds` (negative: the agent's clock is behind). */
  | { readonly ok: false; readonly why: "clock"; readonly aheadSeconds: number }
  | { readonly ok: false; readonly why: "invalid" };

export async function verifyRequest(
  token: string,
  key: PublicJwk,
  nowSeconds: number,
): Promise<VerifiedRequest> {
  try {
    const { payload } = await jwtVerify(token, await importJWK({ ...key }, HEADER.alg), {
      algorithms: [HEADER.alg],
      typ: HEADER.typ,
      // Time is judged below, where it can be told by how much it is off.
      currentDate: new Date((claims.parse(decodePayload(token)).iat + 1) * 1_000),
    });
    const { iss, aud, htm, htp, bd, jti, iat, exp } = claims.parse(payload);
    if (exp - iat > MAX_TOKEN_SECONDS || exp <= iat) return { ok: false, why: "invalid" };
    if (iat > nowSeconds + CLOCK_TOLERANCE_SECONDS || exp < nowSeconds) {
      return { ok: false, why: "clock", aheadSeconds: iat - nowSeconds };
    }
    return {
      ok: true,
      expiresAtSeconds: exp,
      request: { agentId: iss, storeId: aud, method: htm, path: htp, bodyDigest: bd, tokenId: jti },
    };
  } catch {
    return { ok: false, why: "invalid" };
  }
}

function decodePayload(token: string): unknown {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());
}
