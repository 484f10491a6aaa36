/** Calls `say` at most once in `intervalMs`, the first time at once: for what would otherwise fill a log. */
export function seldom(intervalMs: number, say: () => void): () => void {
  let saidAtMs = Number.NEGATIVE_INFINITY;
  return () => {
    const nowMs = performance.now();
    if (nowMs - saidAtMs < intervalMs) return;
    saidAtMs = nowMs;
    say();
  };
}
