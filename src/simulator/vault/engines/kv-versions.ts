/** One KV v2 key: numbering, pruning, deletion by time, destruction. */

export interface Version {
  readonly createdTime: string;
  /** `""`: not deleted; a time to come: it expires then. */
  deletionTime: string;
  destroyed: boolean;
  data: Readonly<Record<string, unknown>> | null;
}

export interface KvConfig {
  maxVersions: number;
  casRequired: boolean;
  /** Seconds; 0: never; negative at the mount: switched off. */
  deleteVersionAfter: number;
}

const DEFAULT_MAX_VERSIONS = 10;

export class KvKey {
  currentVersion = 0;
  oldestVersion = 0;
  createdTime: string;
  updatedTime: string;
  metadataVersion = 0;
  readonly config: KvConfig = { maxVersions: 0, casRequired: false, deleteVersionAfter: 0 };
  customMetadata: Readonly<Record<string, string>> | null = null;
  versions = new Map<number, Version>();

  constructor(now: string) {
    this.createdTime = now;
    this.updatedTime = now;
  }

  add(
    data: Readonly<Record<string, unknown>>,
    createdTime: string,
    deletionTime: string,
    mount: KvConfig,
  ): Version {
    this.currentVersion += 1;
    const version: Version = { createdTime, deletionTime, destroyed: false, data };
    this.versions.set(this.currentVersion, version);
    this.updatedTime = createdTime;
    const kept = Math.max(this.config.maxVersions, mount.maxVersions) || DEFAULT_MAX_VERSIONS;
    if (this.currentVersion - this.oldestVersion >= kept) {
      const last = this.currentVersion - kept;
      for (const number of [...this.versions.keys()]) if (number <= last) this.versions.delete(number);
      this.oldestVersion = last + 1;
    }
    return version;
  }

  /** A copy that later writes do not change. */
  snapshot(): KvKey {
    const copy = new KvKey(this.createdTime);
    Object.assign(copy, this, { config: { ...this.config }, versions: new Map() });
    for (const [number, version] of this.versions) copy.versions.set(number, { ...version });
    return copy;
  }
}

export function isDeleted(version: Version, nowMs: number): boolean {
  return version.deletionTime !== "" && Date.parse(version.deletionTime) <= nowMs;
}

/** Seconds until a new version of the key expires, or null. */
export function secondsToLive(key: KvConfig, mount: KvConfig): number | null {
  if (mount.deleteVersionAfter < 0) return null;
  const given = [key.deleteVersionAfter, mount.deleteVersionAfter].filter((seconds) => seconds > 0);
  return given.length === 0 ? null : Math.min(...given);
}
