/** Seals and opens through a key ring; see envelope.ts for the format. */
import { LockstepError } from "../../core/errors.ts";
import type { KeyRing } from "../../core/ports/key-ring.ts";
import type { Sealer } from "../../core/ports/sealer.ts";
import { decrypt, encrypt, formatEnvelope, newDataKey, parseEnvelope } from "./envelope.ts";

export function createSealer(ring: KeyRing): Sealer {
  return {
    async seal(plain, associatedData) {
      const dataKey = newDataKey();
      const sealed = encrypt(dataKey, exactBytes(plain), associatedData);
      const wrapped = await ring.wrap(dataKey, associatedData);
      return formatEnvelope({ keyId: ring.keyId, wrapped, ...sealed });
    },

    async open(sealed, associatedData) {
      const envelope = parseEnvelope(sealed);
      const dataKey = await ring.unwrap(envelope.wrapped, envelope.keyId, associatedData);
      return Buffer.from(decrypt(dataKey, envelope, associatedData)).toString();
    },

    async rewrap(sealed, associatedData) {
      const envelope = parseEnvelope(sealed);
      const dataKey = await ring.unwrap(envelope.wrapped, envelope.keyId, associatedData);
      // Proves that the content opens before its old wrapping is given up.
      decrypt(dataKey, envelope, associatedData);
      const wrapped = await ring.wrap(dataKey, associatedData);
      return formatEnvelope({ ...envelope, keyId: ring.keyId, wrapped });
    },
  };
}

/** Half a surrogate pair has no bytes of its own: it would come back as another text than it went in. */
function exactBytes(plain: string): Uint8Array {
  const bytes = Buffer.from(plain);
  if (bytes.toString() === plain) return bytes;
  throw new LockstepError("VALUE_INVALID", "Cannot seal: the value is not valid Unicode.");
}
