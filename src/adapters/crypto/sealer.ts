/** Seals and opens through a key ring; see envelope.ts for the format. */
import { LockstepError } from "../../core/errors.ts";
import type { KeyRing } from "../../core/ports/key-ring.ts";
import type { Sealer } from "../../core/ports/sealer.ts";
import { decrypt, type Envelope, encrypt, formatEnvelope, newDataKey, parseEnvelope } from "./envelope.ts";

/** Which key the store is sealed under, as it was known last. `refresh` asks the store. */
export interface SealingKey {
  readonly keyId: string;
  refresh(): Promise<void>;
}

/** `sealing` as the ring's own: for a store that is not set up yet. */
export function createSealer(
  ring: KeyRing,
  sealing: SealingKey = { keyId: ring.keyId, refresh: async () => {} },
): Sealer {
  const assertKnown = (): void => {
    if (!ring.keyIds.includes(sealing.keyId)) throw rootKeyChanged(sealing.keyId);
  };

  /** A text under an unknown key, while the store's own is unknown: it was moved, and this process left behind. */
  async function unwrap(envelope: Envelope, associatedData: string): Promise<Uint8Array> {
    if (!ring.keyIds.includes(envelope.keyId)) {
      await sealing.refresh();
      assertKnown();
    }
    return ring.unwrap(envelope.wrapped, envelope.keyId, associatedData);
  }

  return {
    keyIds: ring.keyIds,

    async seal(plain, associatedData) {
      assertKnown();
      const { keyId } = sealing;
      const dataKey = newDataKey();
      const sealed = encrypt(dataKey, exactBytes(plain), associatedData);
      const wrapped = await ring.wrap(dataKey, keyId, associatedData);
      return formatEnvelope({ keyId, wrapped, ...sealed });
    },

    async open(sealed, associatedData) {
      const envelope = parseEnvelope(sealed);
      const dataKey = await unwrap(envelope, associatedData);
      return Buffer.from(decrypt(dataKey, envelope, associatedData)).toString();
    },

    async rewrap(sealed, associatedData) {
      const envelope = parseEnvelope(sealed);
      const dataKey = await unwrap(envelope, associatedData);
      // Proves that the content opens before its old wrapping is given up.
      decrypt(dataKey, envelope, associatedData);
      if (envelope.keyId === ring.keyId) return sealed;
      const wrapped = await ring.wrap(dataKey, ring.keyId, associatedData);
      return formatEnvelope({ ...envelope, keyId: ring.keyId, wrapped });
    },

    async assertCurrent() {
      await sealing.refresh();
      assertKnown();
    },
  };
}

function rootKeyChanged(keyId: string): LockstepError {
  return new LockstepError(
    "ROOT_KEY_CHANGED",
    "This process was left behind: the store is sealed under another root key by now, and nothing was written.",
    { details: { keyId } },
  );
}

/** Half a surrogate pair has no bytes of its own: it would come back as another text than it went in. */
function exactBytes(plain: string): Uint8Array {
  const bytes = Buffer.from(plain);
  if (bytes.toString() === plain) return bytes;
  throw new LockstepError("VALUE_INVALID", "Cannot seal: the value is not valid Unicode.");
}
