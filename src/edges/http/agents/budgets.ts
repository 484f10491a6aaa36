/**
 * How often somebody who has proven who it is may ask: a bucket of tokens for each. Per process; several servers grant
 * as many times that. A full bucket is no different from none, so those that filled again are forgotten.
 */
export interface BudgetOptions {
  /** Monotonic or not: a clock that goes back grants nothing meanwhile. In ms. */
  readonly now: () => number;
  /** At once. */
  readonly burst: number;
  /** One more after that long. */
  readonly everyMs: number;
}

interface Bucket {
  /** `everyMs` for each request that is left. */
  readonly creditMs: number;
  readonly at: number;
}

const MAX_BUCKETS = 50_000;

export class Budget {
  readonly #options: BudgetOptions;
  readonly #buckets = new Map<string, Bucket>();

  constructor(options: BudgetOptions) {
    this.#options = options;
  }

  /** 0: taken; otherwise nothing was, and how long to wait in ms. */
  take(who: string): number {
    const { everyMs } = this.#options;
    const now = this.#options.now();
    const creditMs = this.#creditMs(this.#buckets.get(who), now);
    if (creditMs < everyMs) return Math.ceil(everyMs - creditMs);
    // The last asked stands last: the first is who has been quiet for longest.
    this.#buckets.delete(who);
    this.#buckets.set(who, { creditMs: creditMs - everyMs, at: now });
    this.#forgetFull(now);
    return 0;
  }

  get size(): number {
    return this.#buckets.size;
  }

  #creditMs(bucket: Bucket | undefined, now: number): number {
    const { burst, everyMs } = this.#options;
    if (bucket === undefined) return burst * everyMs;
    return Math.min(burst * everyMs, bucket.creditMs + Math.max(0, now - bucket.at));
  }

  #forgetFull(now: number): void {
    const { burst, everyMs } = this.#options;
    for (const [who, bucket] of this.#buckets) {
      const isFull = this.#creditMs(bucket, now) >= burst * everyMs;
      if (!isFull && this.#buckets.size <= MAX_BUCKETS) return;
      this.#buckets.delete(who);
    }
  }
}
