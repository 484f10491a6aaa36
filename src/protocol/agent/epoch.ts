/**
 * The entry by which a person began a new epoch of the store, signed by the bundle key (JWS, Ed25519). Bundles carry the
 * entries that their agent has not seen. A restored copy of the store has the key too, but nobody's word: an agent takes
 * orders of a new epoch with the entries of each one between alone.
 */
import { CompactSign, compactVerify, importJWK } from "jose";
import { z } from "zod";
import type { PrivateJwk, PublicJwk } from "./envelope.ts";

const HEADER = { alg: "EdDSA", typ: "lockstep-epoch+jws" } as const;

export const MAX_REASON = 500;
/** Of one entry, as text. */
export const MAX_SIGNED = 8_192;
/** In one bundle. */
export const MAX_ENTRIES = 64;

const epochContent = z.strictObject({
  v: z.literal(1),
  kind: z.literal("epoch"),
  storeId: z.uuid(),
  epoch: z.int().min(1),
  previous: z.int().min(0),
  at: z.iso.datetime(),
  reason: z.string().min(1).max(MAX_REASON),
});
export type EpochContent = z.output<typeof epochContent>;

export async function signEpoch(content: EpochContent, signWith: PrivateJwk): Promise<string> {
  return await new CompactSign(new TextEncoder().encode(JSON.stringify(content)))
    .setProtectedHeader(HEADER)
    .sign(await importJWK({ ...signWith }, HEADER.alg));
}

/** Null when the key did not sign it, or it is something else. */
export async function openEpoch(signed: string, signedBy: PublicJwk): Promise<EpochContent | null> {
  try {
    const { payload, protectedHeader } = await compactVerify(
      signed,
      await importJWK({ ...signedBy }, HEADER.alg),
      { algorithms: [HEADER.alg] },
    );
    if (protectedHeader.typ !== HEADER.typ) return null;
    const content: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(payload));
    return epochContent.safeParse(content).data ?? null;
  } catch {
    return null;
  }
}

/**
 * Whether the entries lead from one epoch to the other, one after the other, none left out. Texts that do not open count
 * for nothing.
 */
export async function leadTo(
  entries: readonly string[],
  way: { readonly storeId: string; readonly from: number; readonly to: number; readonly signedBy: PublicJwk },
): Promise<boolean> {
  let reached = way.from;
  for (const signed of entries) {
    const entry = await openEpoch(signed, way.signedBy);
    if (entry === null || entry.storeId !== way.storeId || entry.epoch <= reached) continue;
    if (entry.previous !== reached || entry.epoch !== reached + 1) return false;
    reached = entry.epoch;
  }
  return reached === way.to;
}
