/** Chance that stays what it was: what is spread over time is spread alike by every worker and after every restart. */
import { createHash } from "node:crypto";

/** In [0, 1): the same for one version of one secret, another for every version. */
export function seedOf(secretId: string, version: number | null): number {
  return (
    createHash("sha256")
      .update(`${secretId} ${String(version)}`)
      .digest()
      .readUInt32BE(0) /
    2 ** 32
  );
}
