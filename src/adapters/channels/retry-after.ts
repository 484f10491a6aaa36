/** When to come again, as HTTP says it: in seconds, or as a date (RFC 9110, section 10.2.3). */

/** Alerts are given up after a day; a place that says "next year" is asked before. */
const MAX_RETRY_AFTER_MS = 6 * 3_600_000;

/** `date`: the answer's own, so that two clocks are not compared. In ms; undefined: nothing usable was said. */
export function retryAfterMsOf(
  said: string | undefined,
  date: string | undefined,
  nowMs: number,
): number | undefined {
  const text = said?.trim() ?? "";
  let waitMs: number;
  if (/^[0-9]{1,12}(?:\.[0-9]+)?$/.test(text)) waitMs = Number(text) * 1_000;
  else if (/^[A-Z][a-z]{2,8},? /.test(text)) {
    const from = Date.parse(date ?? "");
    waitMs = Date.parse(text) - (Number.isNaN(from) ? nowMs : from);
  } else return undefined;
  return waitMs > 0 ? Math.min(Math.ceil(waitMs), MAX_RETRY_AFTER_MS) : undefined;
}
