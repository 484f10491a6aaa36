/** Seals and opens through key rings; see envelope.ts for the format. */
import { LockstepError } from "../../core/errors.ts";
import { isAtLeast, parseKeyId } from "../../core/key-id.ts";
import type { KeyRing, WrappedKey } from "../../core/ports/key-ring.ts";
import type { RingStanding, Sealer } from "../../core/ports/sealer.ts";
import { decrypt, type Envelope, encrypt, formatEnvelope, newDataKey, parseEnvelope } from "./envelope.ts";
import { wrongRootKey } from "./local-key-ring.ts";
import { type WatchedRing, watchRing } from "./ring-standing.ts";

/** The first is the one that `rewrap` moves to; the others only open. */
export type KeyRings = readonly [KeyRing, ...KeyRing[]];

/** Which key the store is sealed under, as it was known last. `refresh` asks the store. */
export interface SealingKey {
  /** Null: a store that is not set up yet; the first ring seals. */
  readonly keyId: string | null;
  refresh(): Promise<void>;
}

const NOT_SET_UP: SealingKey = { keyId: null, refresh: async () => {} };

export function createSealer([first, ...others]: KeyRings, sealing: SealingKey = NOT_SET_UP): Sealer {
  const wanted = watchRing(first);
  const rings = [wanted, ...others.map(watchRing)];
  const ringOf = (keyId: string): WatchedRing | undefined => rings.find((ring) => ring.holds(keyId));

  /** The ring that seals now. */
  function sealingRing(): WatchedRing {
    if (sealing.keyId === null) return wanted;
    const ring = ringOf(sealing.keyId);
    if (ring === undefined) throw rootKeyChanged(sealing.keyId);
    return ring;
  }

  /** A text under an unknown key, while the store's own is unknown: it was moved, and this process left behind. */
  async function unwrap(envelope: Envelope, associatedData: string): Promise<Uint8Array> {
    const ring = ringOf(envelope.keyId);
    if (ring !== undefined) return ring.unwrap(envelope.wrapped, envelope.keyId, associatedData);
    await sealing.refresh();
    sealingRing();
    throw wrongRootKey(envelope.keyId);
  }

  return {
    opens: (keyId) => ringOf(keyId) !== undefined,
    isWanted: (keyId) => wanted.holds(keyId),
    wantedKeyId: () => wanted.current(),
    ringName: (keyId) => {
      const ring = ringOf(keyId);
      const { version } = parseKeyId(keyId);
      return ring === undefined ? null : `${ring.name}${version === 0 ? "" : ` v${version}`}`;
    },

    async seal(plain, associatedData) {
      const ring = sealingRing();
      const dataKey = newDataKey();
      const sealed = encrypt(dataKey, exactBytes(plain), associatedData);
      const wrapped = await wrapAtLeast(ring, dataKey, associatedData, sealing.keyId);
      return formatEnvelope({ ...wrapped, ...sealed });
    },

    async open(sealed, associatedData) {
      const envelope = parseEnvelope(sealed);
      const dataKey = await unwrap(envelope, associatedData);
      return Buffer.from(decrypt(dataKey, envelope, associatedData)).toString();
    },

    async rewrap(sealed, associatedData, lowest) {
      const envelope = parseEnvelope(sealed);
      const dataKey = await unwrap(envelope, associatedData);
      // Proves that the content opens before its old wrapping is given up.
      decrypt(dataKey, envelope, associatedData);
      if (isAtLeast(envelope.keyId, lowest)) return sealed;
      return formatEnvelope({
        ...envelope,
        ...(await wrapAtLeast(wanted, dataKey, associatedData, lowest)),
      });
    },

    async assertCurrent() {
      await sealing.refresh();
      sealingRing();
    },

    assertRingThere: () => sealingRing().assertThere(),
    lookAtRings: () => Promise.all(rings.filter(({ rootKeyId }) => rootKeyId === null).map(standingOf)),
  };
}

async function standingOf(ring: WatchedRing): Promise<RingStanding> {
  const { name, holds } = ring;
  const [look] = await Promise.allSettled([ring.look(), ring.probe()]);
  return { name, holds, away: ring.away, look: look.status === "fulfilled" ? look.value : null };
}

/** What a ring answers under an older version than the store takes would be refused by the store, for ever. */
async function wrapAtLeast(
  ring: KeyRing,
  dataKey: Uint8Array,
  associatedData: string,
  lowest: string | null,
): Promise<WrappedKey> {
  const isTaken = ({ keyId }: WrappedKey): boolean =>
    lowest === null || !ring.holds(lowest) || isAtLeast(keyId, lowest);
  const first = await ring.wrap(dataKey, associatedData);
  if (isTaken(first)) return first;
  // It was on its way while the key was rotated.
  const second = await ring.wrap(dataKey, associatedData);
  if (isTaken(second)) return second;
  throw new LockstepError(
    "KEY_RING_REFUSED",
    `Cannot seal: the key ring ${ring.name} has gone back to an older version of its key than the store is sealed under.`,
    {
      hint: "Its server was restored from an older backup, or another one answers: restore the newer one, or give the address of the right one.",
      details: { keyId: second.keyId, lowest },
    },
  );
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
