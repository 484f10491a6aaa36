/** Reads shared by looks that began together: each is made once, under the signal of all of them. */
import type { SharedReads } from "../../core/ports/target-context.ts";

export function createSharedReads(signal: AbortSignal): SharedReads {
  const reads = new Map<string, Promise<unknown>>();
  return {
    once<T>(key: string, read: (signal: AbortSignal) => Promise<T>): Promise<T> {
      const known = reads.get(key) ?? read(signal);
      // Everybody may have given up waiting by then.
      known.catch(() => undefined);
      reads.set(key, known);
      return known as Promise<T>;
    },
  };
}
