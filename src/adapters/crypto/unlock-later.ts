/**
 * A store whose key ring is away when a process starts. What needs no key goes on; what seals, opens or compares values
 * is refused with the ring's own words, until the ring answers and has shown that it holds the store's key. That is asked
 * again by itself, one try at a time.
 */
import { type LockstepError, toLockstepError } from "../../core/errors.ts";
import type { Fingerprinter, Sealer } from "../../core/ports/sealer.ts";

const ASK_AGAIN_MS = 1_000;

export interface UnlockLater {
  /** What stands between: the key check, then the fingerprint key. Throws what keeps it locked. */
  readonly unlock: () => Promise<Fingerprinter>;
  readonly sealer: Sealer;
  /** Why it is locked now. */
  readonly failure: LockstepError;
  /** Told once when it is unlocked, and whenever what keeps it locked has another code. */
  readonly tell: (failure: LockstepError | null) => void;
}

export interface LockedKeys {
  readonly sealer: Sealer;
  readonly fingerprinter: Fingerprinter;
  /** Asks no more. */
  close(): void;
}

export function unlockLater({ unlock, sealer, failure: first, tell }: UnlockLater): LockedKeys {
  let fingerprinter: Fingerprinter | null = null;
  let failure = first;
  let triedAtMs = performance.now();
  let trying: Promise<void> | null = null;

  const tryNow = (): Promise<void> => {
    trying ??= unlock()
      .then(
        (unlocked) => {
          fingerprinter = unlocked;
          clearInterval(timer);
          tell(null);
        },
        (error: unknown) => {
          const now = toLockstepError(error);
          if (now.code !== failure.code) tell(now);
          failure = now;
          throw now;
        },
      )
      .finally(() => {
        triedAtMs = performance.now();
        trying = null;
      });
    return trying;
  };
  /** Throws why it is not. */
  const unlocked = async (): Promise<void> => {
    if (fingerprinter !== null) return;
    if (trying === null && performance.now() - triedAtMs < ASK_AGAIN_MS) throw failure;
    await tryNow();
  };
  const timer = setInterval(() => void unlocked().catch(() => undefined), ASK_AGAIN_MS).unref();

  const behind =
    <In extends readonly unknown[], Out>(work: (...given: In) => Promise<Out>) =>
    async (...given: In): Promise<Out> => {
      await unlocked();
      return work(...given);
    };
  return {
    sealer: {
      ...sealer,
      seal: behind(sealer.seal),
      open: behind(sealer.open),
      rewrap: behind(sealer.rewrap),
      wantedKeyId: behind(sealer.wantedKeyId),
      assertRingThere: behind(sealer.assertRingThere),
    },
    fingerprinter: {
      fingerprint(secretId, value) {
        if (fingerprinter === null) throw failure;
        return fingerprinter.fingerprint(secretId, value);
      },
    },
    close: () => clearInterval(timer),
  };
}
