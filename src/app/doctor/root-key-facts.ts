/** What the store says of root keys, by their public names: nothing is opened for it. */
import type { DoctorFacts } from "../../core/doctor/facts.ts";
import type { StoreMeta } from "../../core/ports/store/meta.ts";
import type { AppContext } from "../context.ts";

export function sealingOf(
  { sealer: { keyIds } }: AppContext,
  { sealingKeyId }: StoreMeta,
  counts: ReadonlyMap<string, number>,
): DoctorFacts["sealing"] {
  const sum = (wanted: (keyId: string) => boolean): number =>
    [...counts].reduce((all, [keyId, count]) => (wanted(keyId) ? all + count : all), 0);
  return {
    hasCurrent: keyIds.includes(sealingKeyId),
    unopened: sum((keyId) => !keyIds.includes(keyId)),
    underOthers: sum((keyId) => keyIds.includes(keyId) && keyId !== keyIds[0]),
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
