/**
 * The sealed text: AES-256-GCM under a fresh data key, the data key wrapped by a key ring.
 *
 *     lockstep.v1.<key id>.<wrapped data key>.<nonce>.<ciphertext and tag>      (base64url parts)
 *
 * The caller's associated data is authenticated twice, with the value and with the wrapped key, so that neither part
 * can be moved to another row. Anything that does not open is SEALED_UNREADABLE, never a missing value.
 */
import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { LockstepError } from "../../core/errors.ts";

const CIPHER = "aes-256-gcm";
const KEY_BYTES = 32;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const VERSION = "v1";
const ENVELOPE =
  /^lockstep\.v1\.([A-Za-z0-9_-]{1,64})\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

export interface Envelope {
  readonly keyId: string;
  readonly wrapped: Uint8Array;
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
}

export function newDataKey(): Uint8Array {
  return randomBytes(KEY_BYTES);
}

/** Answers nonce and ciphertext with its tag at the end. */
export function encrypt(
  key: Uint8Array,
  plain: Uint8Array,
  associatedData: string,
): { readonly nonce: Uint8Array; readonly ciphertext: Uint8Array } {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(associatedData));
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()]);
  return { nonce, ciphertext };
}

/** Throws SEALED_UNREADABLE: another key, another row, or changed bytes. */
export function decrypt(
  key: Uint8Array,
  sealed: { readonly nonce: Uint8Array; readonly ciphertext: Uint8Array },
  associatedData: string,
): Uint8Array {
  try {
    const body = sealed.ciphertext.subarray(0, -TAG_BYTES);
    const tag = sealed.ciphertext.subarray(-TAG_BYTES);
    const decipher = createDecipheriv(CIPHER, key, sealed.nonce, { authTagLength: TAG_BYTES })
      .setAAD(Buffer.from(associatedData))
      .setAuthTag(tag);
    return Buffer.concat([decipher.update(body), decipher.final()]);
  } catch {
    throw unreadable();
  }
}

export function formatEnvelope({ keyId, wrapped, nonce, ciphertext }: Envelope): string {
  const parts = [wrapped, nonce, ciphertext].map((part) => Buffer.from(part).toString("base64url"));
  return ["lockstep", VERSION, keyId, ...parts].join(".");
}

export function parseEnvelope(text: string): Envelope {
  const match = ENVELOPE.exec(text);
  if (match === null) throw unreadable();
  const [, keyId = "", ...parts] = match;
  const [wrapped, nonce, ciphertext] = parts.map((part) => decodeCanonical(part));
  if (wrapped === undefined || nonce === undefined || ciphertext === undefined) throw unreadable();
  if (nonce.length !== NONCE_BYTES || ciphertext.length < TAG_BYTES) throw unreadable();
  return { keyId, wrapped, nonce, ciphertext };
}

/** Base64url has several texts for the same bytes when the last character carries spare bits; one of them is ours. */
function decodeCanonical(text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64url");
  if (bytes.toString("base64url") !== text) throw unreadable();
  return bytes;
}

function unreadable(): LockstepError {
  return new LockstepError(
    "SEALED_UNREADABLE",
    "A sealed value does not open: it was changed, moved, or sealed elsewhere.",
  );
}
