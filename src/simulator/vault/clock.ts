/** The double's time. `ManualClock` of the Railway simulator will do for tests that step it. */
export interface VaultClock {
  now(): Date;
}

let ticks = 0;

/** RFC 3339 with nanoseconds, as Go writes it; no two are equal, however the clock stands. */
export function goTime(date: Date): string {
  ticks = (ticks + 1) % 1_000_000;
  return date.toISOString().replace("Z", `${String(ticks).padStart(6, "0")}Z`);
}
