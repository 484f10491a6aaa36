/** `just now`, `42 s`, `5 min`, `3 h`, `12 d`: how long ago an instant was, for people. */
export function ageText(instant: string | null, now: Date): string {
  if (instant === null) return "never";
  const seconds = Math.max(0, Math.round((now.getTime() - Date.parse(instant)) / 1000));
  if (seconds < 2) return "just now";
  if (seconds < 120) return `${seconds} s ago`;
  if (seconds < 2 * 3600) return `${Math.round(seconds / 60)} min ago`;
  if (seconds < 2 * 86_400) return `${Math.round(seconds / 3600)} h ago`;
  return `${Math.round(seconds / 86_400)} d ago`;
}
