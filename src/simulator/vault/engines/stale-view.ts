/** Reads that are older than the last write, as a standby node gives them. */
import type { KvKey } from "./kv-versions.ts";

export type Staleness = { readonly reads: number } | { readonly ms: number };

interface OldState {
  /** Null: it did not exist. */
  readonly key: KvKey | null;
  readsLeft: number;
  readonly untilMs: number;
}

export class StaleView {
  staleness: Staleness | null = null;
  readonly #old = new Map<string, OldState>();

  /** To be called before each write. While an old state is shown, it stays the one that is shown. */
  beforeWrite(path: string, key: KvKey | undefined, nowMs: number): void {
    if (this.staleness === null || this.#shown(path, nowMs) !== undefined) return;
    this.#old.set(path, {
      key: key?.snapshot() ?? null,
      readsLeft: "reads" in this.staleness ? this.staleness.reads : Number.POSITIVE_INFINITY,
      untilMs: "ms" in this.staleness ? nowMs + this.staleness.ms : Number.POSITIVE_INFINITY,
    });
  }

  /** What a read sees; each counts. */
  read(path: string, key: KvKey | undefined, nowMs: number): KvKey | undefined {
    const old = this.#shown(path, nowMs);
    if (old === undefined) return key;
    old.readsLeft -= 1;
    return old.key ?? undefined;
  }

  /** Paths that a list shows; it counts for none of them. */
  list(paths: readonly string[], nowMs: number): readonly string[] {
    const shown = new Set(paths);
    for (const path of this.#old.keys()) {
      const old = this.#shown(path, nowMs);
      if (old === undefined) continue;
      if (old.key === null) shown.delete(path);
      else shown.add(path);
    }
    return [...shown];
  }

  #shown(path: string, nowMs: number): OldState | undefined {
    const old = this.#old.get(path);
    if (old !== undefined && old.readsLeft > 0 && nowMs < old.untilMs) return old;
    this.#old.delete(path);
    return undefined;
  }
}
