/** A key ring over one root key in memory. */
import { createHash, hkdfSync } from "node:crypto";
import { LockstepError } from "../../core/errors.ts";
import type { KeyRing } from "../../core/ports/key-ring.ts";
import { decrypt, encrypt } from "./envelope.ts";

export const ROOT_KEY_BYTES = 32;
const NONCE_BYTES = 12;

export function createLocalKeyRing(rootKey: Uint8Array): KeyRing & { readonly rootKeyId: string } {
  const keyId = keyIdOf(rootKey);
  const key = wrappingKeyOf(rootKey);
  return {
    name: "local",
    rootKeyId: keyId,
    holds: (asked) => asked === keyId,
    current: async () => keyId,
    look: async () => ({ oldestOpened: null, risks: [] }),

    async wrap(dataKey, associatedData) {
      const { nonce, ciphertext } = encrypt(key, dataKey, wrapContext(keyId, associatedData));
      return { keyId, wrapped: Buffer.concat([nonce, ciphertext]) };
    },

    async unwrap(wrapped, asked, associatedData) {
      if (asked !== keyId) throw wrongRootKey(asked);
      const sealed = { nonce: wrapped.subarray(0, NONCE_BYTES), ciphertext: wrapped.subarray(NONCE_BYTES) };
      return decrypt(key, sealed, wrapContext(keyId, associatedData));
    },
  };
}

/** A text names a key that this process does not have. */
export function wrongRootKey(keyId: string): LockstepError {
  return new LockstepError(
    "ROOT_KEY_WRONG",
    "A sealed value was wrapped under another root key than the one given.",
    { details: { keyId } },
  );
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
