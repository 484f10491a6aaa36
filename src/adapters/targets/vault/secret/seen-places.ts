/**
 * What this process has seen of places: the newest version, below which a node lags; and of the last look the keys that
 * were asked for. A version's content never changes, so that a look by schedule which finds the same version needs no
 * value again.
 */
import type { KvMetadata, KvRead } from "../../../vault/kv.ts";
import { isLater } from "../../../vault/times.ts";
import type { Data } from "./map.ts";

interface Version {
  readonly version: number;
  readonly createdTime: string;
}

/** The keys that were asked for, and the mark. */
export interface LastLook extends Version {
  readonly keys: ReadonlySet<string>;
  readonly data: Data;
  readonly inexactKeys: readonly string[];
}

/** After that a version that is older is what stands there: the server was set back. */
const MAY_LAG_MS = 300_000;
const MAX_PLACES = 1_000;

export class SeenPlaces {
  readonly #newest = new Map<string, Version & { readonly atMs: number }>();
  readonly #looks = new Map<string, LastLook>();
  readonly #blind = new Set<string>();
  readonly #labelled = new Set<string>();
  readonly #nowMs: () => number;

  /** `nowMs`: of any clock that only goes forward. */
  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** A version number that is lower, and was not begun anew since: a node shows what was there before. */
  isBehind(place: string, read: KvRead): boolean {
    const newest = this.#newest.get(place);
    if (newest === undefined || this.#nowMs() - newest.atMs > MAY_LAG_MS) return false;
    // Somebody may have deleted all of it: then a node that lags and one that does not say the same in the end.
    if (read.state === "absent") return this.#nowMs() - newest.atMs < ABSENT_MAY_LAG_MS;
    return read.version < newest.version && !isLater(read.createdTime, newest.createdTime);
  }

  note(place: string, read: KvRead | ({ readonly state: "present" } & Version)): void {
    if (read.state === "absent") {
      this.#newest.delete(place);
      return;
    }
    const { version, createdTime } = read;
    const newest = this.#newest.get(place);
    // The time counts from when it was first seen: reading the same again and again proves nothing new.
    if (newest?.version === version && newest.createdTime === createdTime) return;
    keep(this.#newest, place, { version, createdTime, atMs: this.#nowMs() });
  }

  /** `of`: line and place. Null: all of it must be read. */
  lookAt(of: string, keys: readonly string[], metadata: KvMetadata): LastLook | null {
    const last = this.#looks.get(of);
    const standing = metadata.versions.get(metadata.currentVersion);
    if (last === undefined || standing === undefined) return null;
    if (metadata.currentVersion !== last.version || standing.createdTime !== last.createdTime) return null;
    // It was deleted since, or will be at a time that somebody has set.
    if (standing.destroyed || standing.deletionTime !== "") return null;
    return keys.every((key) => last.keys.has(key)) ? last : null;
  }

  /** Whether asking for the metadata alone may be enough. */
  isLookedAt(of: string): boolean {
    return this.#looks.has(of) && !this.#blind.has(of);
  }

  noteLook(of: string, look: LastLook): void {
    keep(this.#looks, of, look);
  }

  /** The token may not read the metadata: it is not asked again. */
  noteBlind(of: string): void {
    this.#blind.add(of);
  }

  isFirstLabel(place: string): boolean {
    if (this.#labelled.has(place)) return false;
    this.#labelled.add(place);
    return true;
  }

  clear(): void {
    for (const known of [this.#newest, this.#looks, this.#blind, this.#labelled]) known.clear();
  }
}

const ABSENT_MAY_LAG_MS = 5_000;

function keep<Value>(known: Map<string, Value>, key: string, value: Value): void {
  known.delete(key);
  known.set(key, value);
  const [oldest] = known.keys();
  if (known.size > MAX_PLACES && oldest !== undefined) known.delete(oldest);
}
