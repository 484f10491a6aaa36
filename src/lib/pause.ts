/** Waits, or less: ends at once when the signal aborts. Never rejects, and leaves no listener behind. */
export function pause(delayMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, signal.aborted ? 0 : delayMs);
    signal.addEventListener("abort", end, { once: true });
  });
}
