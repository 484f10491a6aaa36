/** `just now`, `42 s`, `5 min`, `3 h`, `12 d`: how long ago an instant was, for people. */
export function ageText(instant: string | null, now: Date): string {
  if (instant === null) return "never";
  const ms = now.getTime() - Date.parse(instant);
  return ms < 1_500 ? "just now" : `${durationText(ms)} ago`;
}

/** `15 min`, `24 h`, `30 d`: how long, for people. */
export function durationText(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1_000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 2 * 3_600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.round(seconds / 3_600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}
