/** What a bench is: a file that measures one thing for real, within bounds, and says under which conditions. */

/** Numbers and words that a program may read; the keys of a result are a contract. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface BenchOptions {
  /** Fewer of everything, so that it ends within 50 s. */
  readonly quick: boolean;
  /** Aborts on Ctrl-C and when the time is over. Whatever waits must listen to it. */
  readonly signal: AbortSignal;
  /** Progress, on stderr. */
  say(line: string): void;
  /** Undone in reverse order, however the bench ends. */
  cleanUp(step: () => Promise<unknown> | unknown): void;
}

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

export interface BenchReport {
  /** The object of `--json`. */
  readonly result: { readonly [key: string]: Json };
  readonly tables: readonly Table[];
  /** Each side's configuration, and what makes the figures comparable. */
  readonly conditions: readonly string[];
  /** What the figures end at: which resource, as measured. */
  readonly limits: readonly string[];
}

export interface Bench {
  readonly about: string;
  run(options: BenchOptions): Promise<BenchReport>;
}
