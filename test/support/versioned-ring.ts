/** A key ring whose key has versions, in memory: it is rotated, hides old versions, and goes away on command. */
import { createLocalKeyRing } from "../../src/adapters/crypto/local-key-ring.ts";
import { LockstepError } from "../../src/core/errors.ts";
import { formatKeyId, parseKeyId } from "../../src/core/key-id.ts";
import type { KeyRing } from "../../src/core/ports/key-ring.ts";

export interface VersionedRing extends KeyRing {
  /** The newest; set lower, it is as if the ring were restored from an older backup. */
  version: number;
  /** Lower versions do not open. */
  oldestOpened: number;
  isAway: boolean;
  /** How often it was asked to wrap or unwrap. */
  asked: number;
}

export function createVersionedRing(base: string, version = 1): VersionedRing {
  // One key for each version.
  const keyOf = (of: number): KeyRing => createLocalKeyRing(new Uint8Array(32).fill(of).fill(base.length, 1));
  const assertThere = (): void => {
    ring.asked += 1;
    if (ring.isAway) throw new LockstepError("KEY_RING_UNAVAILABLE", `The key ring ${ring.name} is away.`);
  };
  const ring: VersionedRing = {
    name: `versioned ${base}`,
    rootKeyId: null,
    version,
    oldestOpened: 1,
    isAway: false,
    asked: 0,
    holds: (keyId) => parseKeyId(keyId).base === base && parseKeyId(keyId).version > 0,
    async current() {
      assertThere();
      return formatKeyId({ base, version: ring.version });
    },
    async look() {
      assertThere();
      return { oldestOpened: ring.oldestOpened, risks: [] };
    },
    async wrap(dataKey, bound) {
      assertThere();
      const keyId = formatKeyId({ base, version: ring.version });
      const { wrapped } = await keyOf(ring.version).wrap(dataKey, bound);
      return { keyId, wrapped };
    },
    async unwrap(wrapped, keyId, bound) {
      assertThere();
      const { version: under } = parseKeyId(keyId);
      if (under < ring.oldestOpened || under > ring.version)
        throw new LockstepError(
          "KEY_RING_REFUSED",
          `The key ring ${ring.name} does not open version ${under}.`,
        );
      const key = keyOf(under);
      return key.unwrap(wrapped, await key.current(), bound);
    },
  };
  return ring;
}
