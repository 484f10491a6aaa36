/** A key ring over root keys in memory. The first wraps; the others only unwrap what was wrapped before a `rewrap`. */
import { createHash, hkdfSync } from "node:crypto";
import { LockstepError } from "../../core/errors.ts";
import type { KeyRing } from "../../core/ports/key-ring.ts";
import { decrypt, encrypt } from "./envelope.ts";

export const ROOT_KEY_BYTES = 32;
const NONCE_BYTES = 12;

export function createLocalKeyRing(rootKeys: readonly [Uint8Array, ...Uint8Array[]]): KeyRing {
  const keys = new Map(rootKeys.map((rootKey) => [keyIdOf(rootKey), wrappingKeyOf(rootKey)]));
  const keyOf = (keyId: string): Uint8Array => {
    const key = keys.get(keyId);
    if (key !== undefined) return key;
    throw new LockstepError(
      "ROOT_KEY_WRONG",
      "A sealed value was wrapped under another root key than the one given.",
      { details: { keyId } },
    );
  };
  return {
    keyId: keyIdOf(rootKeys[0]),
    keyIds: [...keys.keys()],

    async wrap(dataKey, keyId, associatedData) {
      const { nonce, ciphertext } = encrypt(keyOf(keyId), dataKey, wrapContext(keyId, associatedData));
      return Buffer.concat([nonce, ciphertext]);
    },

    async unwrap(wrapped, keyId, associatedData) {
      const sealed = { nonce: wrapped.subarray(0, NONCE_BYTES), ciphertext: wrapped.subarray(NONCE_BYTES) };
      return decrypt(keyOf(keyId), sealed, wrapContext(keyId, associatedData));
    },
  };
}

/** Names a root key without telling anything of it. */
export function keyIdOf(rootKey: Uint8Array): string {
  return createHash("sha256")
    .update("lockstep/root-key-id/v1\0")
    .update(rootKey)
    .digest("base64url")
    .slice(0, 16);
}

function wrappingKeyOf(rootKey: Uint8Array): Uint8Array {
  return new Uint8Array(hkdfSync("sha256", rootKey, new Uint8Array(), "lockstep/wrap/v1", 32));
}

function wrapContext(keyId: string, associatedData: string): string {
  return `lockstep/data-key/v1/${keyId}/${associatedData}`;
}
