/**
 * Public names of the keys that data keys are wrapped under: 16 characters, and where a key has versions
 * `-v<number>` behind them. The store takes texts under its own key alone, and of that no older version.
 */

export interface KeyId {
  /** The same for all versions of one key. */
  readonly base: string;
  /** 0: a key without versions. */
  readonly version: number;
}

/** The trigger in migration 19 cuts in the same way. */
const VERSIONED = /^(.{16})-v([1-9]\d{0,8})$/;

export function parseKeyId(keyId: string): KeyId {
  const match = VERSIONED.exec(keyId);
  return match === null
    ? { base: keyId, version: 0 }
    : { base: match[1] ?? "", version: Number(match[2] ?? "") };
}

export function formatKeyId({ base, version }: KeyId): string {
  return version === 0 ? base : `${base}-v${version}`;
}

/** The same key in the same version or a newer one. */
export function isAtLeast(keyId: string, lowest: string): boolean {
  const [found, least] = [parseKeyId(keyId), parseKeyId(lowest)];
  return found.base === least.base && found.version >= least.version;
}
