/** The words of a source: two slots, what stands in them, and under which names. */

export type Slot = "primary" | "fallback";

/** What stands in the two slots now. Empty or absent is `undefined`. */
export interface Values {
  readonly primary: string | undefined;
  readonly fallback: string | undefined;
}

/** Two names in one place. */
export interface SlotNames {
  readonly primary: string;
  readonly fallback: string;
}

export interface OpenSource {
  /** Never throws. */
  read(): Values;
  /** Stops following a file. The last values stay readable. */
  close(): void;
}

/** Before anything was read. */
export const NO_VALUES: Values = { primary: undefined, fallback: undefined };

/** An empty value would accept an empty header: it is none. */
export function usable(values: { readonly [slot in Slot]?: unknown }): Values {
  const text = (value: unknown) => (typeof value === "string" && value !== "" ? value : undefined);
  return { primary: text(values.primary), fallback: text(values.fallback) };
}
