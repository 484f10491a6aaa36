/** What the store says of root keys, by their public names: nothing is opened for it. */
import type { DoctorFacts } from "../../core/doctor/facts.ts";
import { isAtLeast } from "../../core/key-id.ts";
import type { StoreMeta } from "../../core/ports/store/meta.ts";
import type { AppContext } from "../context.ts";

export function sealingOf(
  { sealer }: AppContext,
  { sealingKeyId }: StoreMeta,
  counts: ReadonlyMap<string, number>,
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

export function recoveryCopyOf(
  { rootKeyId }: AppContext,
  meta: StoreMeta | null,
): DoctorFacts["recoveryCopy"] {
  if (meta === null) return null;
  if (meta.recoveryCopy === null) return "none";
  return meta.recoveryCopy.keyId === rootKeyId ? "checked" : "of-another-key";
}
