/** Which setting gives the key that a store needs and a process lacks. */
import { parseKeyId } from "../../core/key-id.ts";
import type { KeyRings } from "./sealer.ts";

/**
 * `needed`: the public name of the key that is lacking, or that does not open although it is called so. `hasSealing`: the
 * key that is sealed under now is there, so that `rewrap` may be under way.
 */
export function keyHint(needed: string, hasSealing: boolean, rings: KeyRings): string {
  const { base, version } = parseKeyId(needed);
  // Keys with versions are Transit's; root keys have none.
  if (version > 0) {
    const transit = rings.find(({ rootKeyId }) => rootKeyId === null);
    if (transit === undefined)
      return "It is sealed with a key in Vault: set LOCKSTEP_KEY_RING=vault-transit, or LOCKSTEP_PREVIOUS_KEY_RING=vault-transit on the way back to a root key file.";
    if (!transit.holds(needed))
      return `It is sealed with another key in Vault than ${transit.name} (${base}): check LOCKSTEP_VAULT_NAMESPACE, LOCKSTEP_VAULT_TRANSIT_MOUNT and LOCKSTEP_VAULT_TRANSIT_KEY.`;
    return `The key ${transit.name} is another one than the key of this name before: check LOCKSTEP_VAULT_ADDR, and whether the key was deleted and made anew.`;
  }
  if (rings.every(({ rootKeyId }) => rootKeyId === null))
    return "It is sealed with a root key file: give that as LOCKSTEP_PREVIOUS_ROOT_KEY_FILE (root.key in the data directory, unless another was named) and run `lockstep rewrap`, or set LOCKSTEP_KEY_RING=local.";
  return hasSealing
    ? "If `rewrap` has not ended, name the key before as well (LOCKSTEP_PREVIOUS_ROOT_KEY_FILE). Otherwise give the key file that this store was made with (LOCKSTEP_ROOT_KEY_FILE)."
    : "Give the root key file that this store was made with (LOCKSTEP_ROOT_KEY_FILE).";
}
