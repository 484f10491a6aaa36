/**
 * The request budget of each token: a fixed window that begins with its first request, and requests within any one
 * second. Requests without a known token are not counted.
 */
import type { SimulatorClock } from "../clock.ts";
import type { RateLimitOptions } from "../options.ts";
import type { Token } from "../world/model.ts";

export interface TokenAllowance {
  readonly limit: number;
  readonly remaining: number;
  readonly resetsAt: Date;
  /** null: the request may go on. */
  readonly refused: { readonly retryAfterSeconds: number } | null;
}

interface Window {
  readonly endsAtMs: number;
  used: number;
}

export class RateLimiter {
  readonly #clock: SimulatorClock;
  readonly #options: RateLimitOptions;
  readonly #windows = new Map<string, Window>();
  readonly #recentMs = new Map<string, number[]>();

  constructor(clock: SimulatorClock, options: RateLimitOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Counts one request; a refused one costs nothing. */
  take(token: Token): TokenAllowance {
    const nowMs = this.#clock.now().getTime();
    const window = this.#window(token, nowMs);
    const limit = token.limit ?? this.#options.limit;
    const allowance = { limit, resetsAt: new Date(window.endsAtMs) };
    if (window.used >= limit) {
      const retryAfterSeconds = Math.max(1, Math.ceil((window.endsAtMs - nowMs) / 1_000));
      return { ...allowance, remaining: 0, refused: { retryAfterSeconds } };
    }
    const remaining = limit - window.used;
    if (!this.#fitsIntoSecond(token, nowMs)) {
      return { ...allowance, remaining, refused: { retryAfterSeconds: 1 } };
    }
    window.used += 1;
    return { ...allowance, remaining: remaining - 1, refused: null };
  }

  headers(allowance: TokenAllowance): Record<string, string> {
    const { limit, remaining, resetsAt, refused } = allowance;
    const { resetFormat, windowMs } = this.#options;
    return {
      "X-RateLimit-Limit": String(limit),
      "X-RateLimit-Remaining": String(remaining),
      "X-RateLimit-Reset":
        resetFormat === "iso-date" ? resetsAt.toISOString() : String(Math.ceil(resetsAt.getTime() / 1_000)),
      "RateLimit-Policy": `${limit};w=${Math.ceil(windowMs / 1_000)}`,
      ...(refused === null ? {} : { "Retry-After": String(refused.retryAfterSeconds) }),
    };
  }

  #window(token: Token, nowMs: number): Window {
    const known = this.#windows.get(token.id);
    if (known !== undefined && known.endsAtMs > nowMs) return known;
    const window = { endsAtMs: nowMs + this.#options.windowMs, used: 0 };
    this.#windows.set(token.id, window);
    return window;
  }

  #fitsIntoSecond(token: Token, nowMs: number): boolean {
    const { perSecond } = this.#options;
    if (perSecond === null) return true;
    const recent = (this.#recentMs.get(token.id) ?? []).filter((atMs) => nowMs - atMs < 1_000);
    const fits = recent.length < perSecond;
    this.#recentMs.set(token.id, fits ? [...recent, nowMs] : recent);
    return fits;
  }
}
