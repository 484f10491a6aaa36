/** When to try again after failures in a row: doubling between two bounds, by lot, so that many agents do not come at once. */
export function backoffMs(
  [leastMs, mostMs]: readonly [number, number],
  failures: number,
  random: number,
): number {
  const base = Math.min(mostMs, leastMs * 2 ** Math.min(failures, 16));
  return Math.round(base * (0.5 + random / 2));
}
