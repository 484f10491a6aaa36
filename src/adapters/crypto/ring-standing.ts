/**
 * Whether a ring answers, as far as this process has seen: what it was asked for is watched, and while it is away it is
 * asked again by one caller at a time, no more often than every two seconds.
 */
import { randomBytes } from "node:crypto";
import { isRingAway, LockstepError } from "../../core/errors.ts";
import type { KeyRing } from "../../core/ports/key-ring.ts";
import type { RingAway } from "../../core/ports/sealer.ts";

const ASK_AGAIN_MS = 2_000;
const PROBE_BYTES = 32;
const PROBE = "lockstep/probe/v1";

export interface WatchedRing extends KeyRing {
  /** As it was seen last; null: it answers, or was never asked. */
  readonly away: RingAway | null;
  /** Seals and opens something of no meaning. Throws KEY_RING_UNAVAILABLE, KEY_RING_REFUSED. */
  probe(): Promise<void>;
  /** Asks nobody while the ring answers. Throws as `probe`. */
  assertThere(): Promise<void>;
}

export function watchRing(ring: KeyRing): WatchedRing {
  let away: RingAway | null = null;
  let seenAtMs = 0;
  let probing: Promise<void> | null = null;

  async function watched<T>(work: () => Promise<T>): Promise<T> {
    try {
      const answer = await work();
      away = null;
      return answer;
    } catch (error) {
      if (error instanceof LockstepError && isRingAway(error)) {
        away = { since: away?.since ?? new Date(), error };
        seenAtMs = performance.now();
      }
      throw error;
    }
  }

  function probe(): Promise<void> {
    probing ??= watched(async () => {
      const { wrapped, keyId } = await ring.wrap(randomBytes(PROBE_BYTES), PROBE);
      await ring.unwrap(wrapped, keyId, PROBE);
    }).finally(() => {
      probing = null;
    });
    return probing;
  }

  /** That one text may not be opened, for example one of a hidden version, says nothing about the ring. */
  async function unwrap(...parameters: Parameters<KeyRing["unwrap"]>): Promise<Uint8Array> {
    try {
      return await watched(() => ring.unwrap(...parameters));
    } catch (error) {
      if (error instanceof LockstepError && error.code === "KEY_RING_REFUSED")
        await probe().catch(() => undefined);
      throw error;
    }
  }

  return {
    name: ring.name,
    rootKeyId: ring.rootKeyId,
    get away() {
      return away;
    },
    holds: (keyId) => ring.holds(keyId),
    current: () => watched(() => ring.current()),
    wrap: (...parameters) => watched(() => ring.wrap(...parameters)),
    unwrap,
    look: () => ring.look(),
    probe,
    async assertThere() {
      if (away === null) return;
      if (performance.now() - seenAtMs < ASK_AGAIN_MS) throw away.error;
      await probe();
    },
  };
}
