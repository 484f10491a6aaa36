/** What Railway's headers say about the token's limits. Formats are partly undocumented: several are understood. */
import type { RequestBudget } from "../../../../core/ports/target-context.ts";

type Seen = Parameters<RequestBudget["report"]>[1];

/** Null: nothing was said. */
export function limitsOf({ status, headers }: Pick<Response, "status" | "headers">): Seen | null {
  const limit = wholeNumber(headers.get("x-ratelimit-limit"));
  const remaining = wholeNumber(headers.get("x-ratelimit-remaining"));
  const resetsAt = instant(headers.get("x-ratelimit-reset"));
  const waitMs = status === 429 ? retryAfterMs({ headers }) : null;
  const seen = {
    ...(limit === null ? {} : { limit }),
    ...(remaining === null ? {} : { remaining }),
    ...(resetsAt === null ? {} : { resetsAt }),
    ...(waitMs === null ? {} : { retryAfterMs: waitMs }),
  };
  return Object.keys(seen).length === 0 ? null : seen;
}

/** Whole seconds, or a date's text as HTTP allows; null when there is none. */
export function retryAfterMs({ headers }: Pick<Response, "headers">): number | null {
  const text = headers.get("retry-after");
  const seconds = wholeNumber(text);
  if (seconds !== null) return seconds * 1_000;
  const date = text === null ? Number.NaN : Date.parse(text);
  return Number.isNaN(date) ? null : Math.max(0, date - Date.now());
}

function wholeNumber(text: string | null): number | null {
  return text !== null && /^\d{1,12}$/.test(text.trim()) ? Number(text) : null;
}

/** Seconds since the epoch, or a date's text. */
function instant(text: string | null): Date | null {
  if (text === null) return null;
  const seconds = wholeNumber(text);
  const date = seconds === null ? new Date(text) : new Date(seconds * 1_000);
  return Number.isNaN(date.getTime()) ? null : date;
}
