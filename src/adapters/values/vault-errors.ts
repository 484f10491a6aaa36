/** What a failure of Vault means to whoever wants a value of its KV engine. */
import { LockstepError } from "../../core/errors.ts";
import type { ValueTrouble } from "../../core/ports/value-store.ts";
import type { VaultFailure, VaultVerdict } from "../vault/failure.ts";
import { lackingHint, type Right } from "../vault/rights.ts";

/** A person must do something there; asking again changes nothing. */
const REFUSED: ReadonlySet<VaultVerdict> = new Set([
  "mount",
  "namespace",
  "token",
  "login",
  "permission",
  "protocol",
  "key",
]);

const HINTS: Partial<Record<VaultVerdict, string>> = {
  mount: "LOCKSTEP_VAULT_KV_MOUNT must name a KV engine of version 2.",
  namespace:
    "Correct LOCKSTEP_VAULT_NAMESPACE; Vault without Enterprise has no namespaces: leave it out there.",
  protocol: "Check LOCKSTEP_VAULT_ADDR and LOCKSTEP_VAULT_CA_FILE: something else may answer there.",
};

/** All that a value store needs, and no right to write over a value: as `deploy/vault/policies/value-store.hcl`. */
export function storeRights({
  mount,
  prefix,
}: {
  readonly mount: string;
  readonly prefix: string;
}): readonly Right[] {
  return [
    { path: `${mount}/data/${prefix}/*`, capabilities: ["create", "read"] },
    { path: `${mount}/metadata/${prefix}/*`, capabilities: ["read", "list", "delete"] },
    { path: `${mount}/destroy/${prefix}/*`, capabilities: ["update"] },
  ];
}

/** `action` completes "Cannot …"; `needed`: what the store's policy must give. */
export function toValueStoreError(
  failure: VaultFailure,
  action: string,
  needed: readonly Right[],
): LockstepError {
  const { verdict, retryAfterMs } = failure;
  const message = `Cannot ${action} in Vault: ${failure.message}.`;
  if (verdict === "invalid") {
    return new LockstepError("VALUE_INVALID", message, {
      hint: "Use a smaller value, or raise the limits of Vault's listener.",
    });
  }
  const hint = verdict === "permission" ? lackingHint(failure, needed) : HINTS[verdict];
  return new LockstepError(
    REFUSED.has(verdict) ? "VALUE_STORE_REFUSED" : "VALUE_STORE_UNAVAILABLE",
    message,
    {
      details: { verdict },
      ...(hint === undefined ? {} : { hint }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    },
  );
}

export function changedThere(trouble: ValueTrouble, address: string): LockstepError {
  return new LockstepError(
    "VALUE_STORE_CHANGED",
    `The value at ${address} in Vault is not the one that was put.`,
    { details: { trouble, address } },
  );
}
