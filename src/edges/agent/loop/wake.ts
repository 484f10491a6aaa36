/** Sleeps until a time or until woken; a call that comes while nobody sleeps is kept for the next sleep. */
export class Wake {
  #called = false;
  #stir: (() => void) | null = null;

  call(): void {
    this.#called = true;
    this.#stir?.();
  }

  /** `signal` ends it early too. */
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", done);
        this.#stir = null;
        this.#called = false;
        resolve();
      };
      const timer = setTimeout(done, Math.min(Math.max(ms, 0), 2_000_000_000));
      this.#stir = done;
      signal.addEventListener("abort", done, { once: true });
      if (this.#called || signal.aborted) done();
    });
  }
}
