/** Which key rings a process has, by its settings: the one that the store is to be sealed under, and those before it. */
import { keptElsewhere, type RingSource, rootKeyFile } from "../adapters/crypto/ring-sources.ts";
import type { StoreRings } from "../adapters/crypto/store-keys.ts";
import { createTransitKeyRing } from "../adapters/crypto/transit-key-ring.ts";
import { createTransit } from "../adapters/vault/transit.ts";
import type { Vault } from "../adapters/vault/vault.ts";
import { LockstepError } from "../core/errors.ts";
import { rootKeyFileOf, type Settings } from "../settings/settings.ts";

/** `vault`: the settings' server; null: none. Under Transit no root key file is read or made, unless one is named as previous. */
export function storeRings(settings: Settings, vault: Vault | null): StoreRings {
  const { keyRing, previousKeyRing, previousRootKeyFile } = settings;
  return {
    wanted: keyRing === "vault-transit" ? transitRing(settings, vault) : rootKeyFile(rootKeyFileOf(settings)),
    previous: [
      ...(previousRootKeyFile === null ? [] : [rootKeyFile(previousRootKeyFile)]),
      ...(previousKeyRing === null ? [] : [transitRing(settings, vault)]),
    ],
  };
}

function transitRing({ vault: named }: Settings, vault: Vault | null): RingSource {
  if (named === null || vault === null)
    throw new LockstepError("SETTING_INVALID", "Cannot use Vault's Transit: no server is named.", {
      hint: "Set LOCKSTEP_VAULT_ADDR=https://HOST:8200.",
    });
  const { transit } = named;
  const { namespace } = vault.server;
  return keptElsewhere(
    createTransitKeyRing({ transit: createTransit(vault, transit), namespace, ...transit }),
  );
}
