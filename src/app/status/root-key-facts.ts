/** What the store says of root keys, by their public names, and what key rings say that are kept elsewhere. */
import type { DoctorFacts, KeyRingFacts } from "../../core/doctor/facts.ts";
import { isAtLeast, parseKeyId } from "../../core/key-id.ts";
import type { StoreMeta } from "../../core/store/meta.ts";
import type { AppContext } from "../base/context.ts";

/** How many sealed texts stand under which key, by its public name. */
type Counts = ReadonlyMap<string, number>;

/** Nothing is opened for it. */
export function sealingOf(
  { sealer }: AppContext,
  { sealingKeyId }: StoreMeta,
  counts: Counts,
): DoctorFacts["sealing"] {
  const sum = (wanted: (keyId: string) => boolean): number =>
    [...counts].reduce((all, [keyId, count]) => (wanted(keyId) ? all + count : all), 0);
  // Before `rewrap` began the store names another ring's key: then any version of the wanted one is moved already.
  const isMoved = (keyId: string): boolean =>
    sealer.isWanted(keyId) && (!sealer.isWanted(sealingKeyId) || isAtLeast(keyId, sealingKeyId));
  return {
    hasCurrent: sealer.opens(sealingKeyId),
    unopened: sum((keyId) => !sealer.opens(keyId)),
    underOthers: sum((keyId) => sealer.opens(keyId) && !isMoved(keyId)),
  };
}

/** Asks each ring; one that is away is a fact too. */
export async function keyRingsOf({ sealer }: AppContext, counts: Counts): Promise<readonly KeyRingFacts[]> {
  const rings = await sealer.lookAtRings();
  return rings.map(({ name, holds, away, look }) => {
    const versions = [...counts.keys()].filter(holds).map((keyId) => parseKeyId(keyId).version);
    return {
      name,
      away: away === null ? null : { since: away.since, message: away.error.message, hint: away.error.hint },
      oldestNeeded: versions.length === 0 ? null : Math.min(...versions),
      oldestOpened: look?.oldestOpened ?? null,
      risks: look?.risks ?? [],
    };
  });
}

export function recoveryCopyOf(
  { rootKeyId }: AppContext,
  meta: StoreMeta | null,
): DoctorFacts["recoveryCopy"] {
  if (meta === null) return null;
  if (rootKeyId === null) return "kept-elsewhere";
  if (meta.recoveryCopy === null) return "none";
  return meta.recoveryCopy.keyId === rootKeyId ? "checked" : "of-another-key";
}
