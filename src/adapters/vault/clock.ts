/** Time as the token's life needs it; tests bring their own. */
export interface VaultClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Answers what takes it back. Holds no process. */
  after(delayMs: number, act: () => void): () => void;
}

export const systemClock: VaultClock = {
  now: () => Date.now(),
  after(delayMs, act) {
    const timer = setTimeout(act, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};

/** Less when the signal aborts. Never rejects. */
export function pauseBy(clock: VaultClock, delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      cancel();
      signal.removeEventListener("abort", end);
      resolve();
    };
    const cancel = clock.after(signal.aborted ? 0 : delayMs, end);
    signal.addEventListener("abort", end, { once: true });
  });
}
