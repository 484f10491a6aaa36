/** What one KV v2 mount holds, and what may befall it. */
import { goTime, type VaultClock } from "../clock.ts";
import type { Features } from "../modes.ts";
import { Refused } from "../wire/reply.ts";
import { type KvConfig, KvKey } from "./kv-versions.ts";
import { StaleView } from "./stale-view.ts";

export const UPGRADING =
  "Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service shortly.";
export const WAITING_FOR_PRIMARY =
  "Waiting for the primary to upgrade from non-versioned to versioned data. This backend will be unavailable for a brief period and will resume service when the primary is finished.";

export class KvStore {
  readonly features: Features;
  readonly clock: VaultClock;
  readonly maxEntryBytes: number;
  readonly config: KvConfig = { maxVersions: 0, casRequired: false, deleteVersionAfter: 0 };
  readonly keys = new Map<string, KvKey>();
  readonly stale = new StaleView();
  /** Not null: the mount is being upgraded, and says this. */
  upgrading: string | null = null;

  constructor(features: Features, clock: VaultClock, maxEntryBytes: number) {
    this.features = features;
    this.clock = clock;
    this.maxEntryBytes = maxEntryBytes;
  }

  nowMs(): number {
    return this.clock.now().getTime();
  }

  checkUpgrade(): void {
    if (this.upgrading !== null) throw new Refused(400, this.upgrading);
  }

  create(path: string, createdTime: string = goTime(this.clock.now())): KvKey {
    const key = new KvKey(createdTime);
    this.keys.set(path, key);
    return key;
  }

  beforeWrite(path: string): void {
    this.stale.beforeWrite(path, this.keys.get(path), this.nowMs());
  }

  /** The key as a reader sees it, perhaps older than it is. */
  seen(path: string): KvKey | undefined {
    return this.stale.read(path, this.keys.get(path), this.nowMs());
  }
}
