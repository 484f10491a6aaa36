/**
 * How often enrolment may fail, per source and in all, in a minute. A code holds 160 random bits, so this stops nobody
 * from guessing what cannot be guessed: it keeps tries from costing the store and the log much.
 *
 * When too many fail in all, a source that has not failed itself still gets its try: a flood from elsewhere must not
 * keep a machine from being enrolled.
 */
export interface FailedTriesOptions {
  readonly now: () => number;
  readonly maxPerSource?: number;
  readonly maxInAll?: number;
}

const WINDOW_MS = 60_000;

export class FailedTries {
  readonly #now: () => number;
  readonly #maxPerSource: number;
  readonly #maxInAll: number;
  readonly #bySource = new Map<string, number>();
  #inAll = 0;
  #windowEndsAt = 0;

  constructor({ now, maxPerSource = 10, maxInAll = 300 }: FailedTriesOptions) {
    this.#now = now;
    this.#maxPerSource = maxPerSource;
    this.#maxInAll = maxInAll;
  }

  /** 0: go on; otherwise how long to wait, in ms. */
  waitMs(source: string): number {
    this.#turnWindow();
    const failed = this.#bySource.get(blockOf(source)) ?? 0;
    const isTooMany = failed >= this.#maxPerSource || (failed > 0 && this.#inAll >= this.#maxInAll);
    return isTooMany ? this.#windowEndsAt - this.#now() : 0;
  }

  failed(source: string): void {
    this.#turnWindow();
    this.#inAll += 1;
    const block = blockOf(source);
    this.#bySource.set(block, (this.#bySource.get(block) ?? 0) + 1);
  }

  #turnWindow(): void {
    if (this.#now() < this.#windowEndsAt) return;
    this.#windowEndsAt = this.#now() + WINDOW_MS;
    this.#bySource.clear();
    this.#inAll = 0;
  }
}

/** Of IPv6 the first half, which is what one customer gets. */
function blockOf(source: string): string {
  const mapped = source.replace(/^::ffff:/, "");
  if (!mapped.includes(":")) return mapped;
  const [head = "", tail] = mapped.split("::");
  const words = head === "" ? [] : head.split(":");
  const zeros = tail === undefined ? 0 : 8 - words.length - (tail === "" ? 0 : tail.split(":").length);
  return [...words, ...Array.from({ length: Math.max(0, zeros) }, () => "0"), ...(tail?.split(":") ?? [])]
    .slice(0, 4)
    .join(":");
}
