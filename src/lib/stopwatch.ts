/**
 * Milliseconds since it was started. The larger of two clocks: the steady one stands still while a machine sleeps, and
 * the wall clock may be set back. May say too much, never too little.
 */
export function startStopwatch(): () => number {
  const steadyMs = performance.now();
  const wallMs = Date.now();
  return () => Math.max(performance.now() - steadyMs, Date.now() - wallMs);
}
